# What `cmake --install` lays down beside the targets that install themselves: the SDK headers and
# the CMake package `fanfold`, so that a job is built outside this tree exactly as the built-in ones.
# Targets of the package install themselves with EXPORT fanfoldTargets.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanfold)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/sdk/fanfold DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
# There even while no job is: the program looks for jobs here.
install(DIRECTORY DESTINATION ${FANFOLD_JOBS_DIR})

install(TARGETS fanfold_sdk EXPORT fanfoldTargets)
install(EXPORT fanfoldTargets NAMESPACE fanfold:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/fanfoldConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cmake/fanfoldConfig.cmake
                              INSTALL_DESTINATION ${package_dir}
                              PATH_VARS FANFOLD_JOBS_DIR CMAKE_INSTALL_BINDIR)
# Before 1.0 a minor version may change what a job is compiled against.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/fanfoldConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/fanfoldConfig.cmake ${PROJECT_BINARY_DIR}/cmake/fanfoldConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FanfoldJob.cmake
        DESTINATION ${package_dir})
