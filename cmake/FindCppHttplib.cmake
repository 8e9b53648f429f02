# FindCppHttplib: the imported target httplib::httplib, from pkg-config's cpp-httplib.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CppHttplib_PC QUIET IMPORTED_TARGET GLOBAL cpp-httplib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CppHttplib REQUIRED_VARS CppHttplib_PC_FOUND VERSION_VAR CppHttplib_PC_VERSION)
if(CppHttplib_FOUND AND NOT TARGET httplib::httplib)
  add_library(httplib::httplib ALIAS PkgConfig::CppHttplib_PC)
endif()
