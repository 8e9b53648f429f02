# fanfold_build_info: what `fanfold --version` says of this build, as one small library. Only its one
# source file knows the revision, and it is written anew only when git's HEAD moved: a commit costs
# one compilation and the links of what uses it, and a build with nothing to do stays one.
#
# Run as a script (-P) it writes that file; included, it makes the target.
if(CMAKE_SCRIPT_MODE_FILE)
  set(FANFOLD_REVISION unknown)
  if(GIT_PROGRAM)
    execute_process(COMMAND ${GIT_PROGRAM} -C ${SOURCE_DIR} describe --always --tags
                    RESULT_VARIABLE failed OUTPUT_VARIABLE described ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed)
      set(FANFOLD_REVISION ${described})
    endif()
  endif()
  configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
  file(TOUCH_NOCREATE ${OUTPUT})  # newer than HEAD even where the text stayed the same
  return()
endif()

include_guard(GLOBAL)
# git's own record of where HEAD has been; empty where this is no checkout.
find_program(GIT_PROGRAM git)
set(git_head)
if(GIT_PROGRAM)
  execute_process(COMMAND ${GIT_PROGRAM} -C ${PROJECT_SOURCE_DIR} rev-parse --path-format=absolute --git-path logs/HEAD
                  OUTPUT_VARIABLE git_head ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT EXISTS "${git_head}")
    set(git_head)
  endif()
endif()

file(RELATIVE_PATH jobs_from_program /${CMAKE_INSTALL_BINDIR} /${FANFOLD_JOBS_DIR})
set(build_info_source ${PROJECT_BINARY_DIR}/generated/build_info.cpp)
add_custom_command(
  OUTPUT ${build_info_source}
  COMMAND ${CMAKE_COMMAND} -D GIT_PROGRAM=${GIT_PROGRAM} -D SOURCE_DIR=${PROJECT_SOURCE_DIR}
          -D TEMPLATE=${PROJECT_SOURCE_DIR}/cmake/build_info.cpp.in -D OUTPUT=${build_info_source}
          -D FANFOLD_VERSION=${PROJECT_VERSION} -D FANFOLD_BUILD_TYPE=${CMAKE_BUILD_TYPE}
          -D FANFOLD_SANITIZE=${FANFOLD_SANITIZE} -D FANFOLD_JOBS_FROM_PROGRAM=${jobs_from_program}
          "-D FANFOLD_COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
          -D FANFOLD_PROCESSOR=${CMAKE_SYSTEM_PROCESSOR}
          -P ${PROJECT_SOURCE_DIR}/cmake/BuildInfo.cmake
  DEPENDS ${PROJECT_SOURCE_DIR}/cmake/build_info.cpp.in ${PROJECT_SOURCE_DIR}/cmake/BuildInfo.cmake ${git_head}
  COMMENT "Writing down what this build is"
  VERBATIM)
add_library(fanfold_build_info STATIC ${build_info_source})
target_include_directories(fanfold_build_info PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(fanfold_build_info PRIVATE fanfold_settings)
