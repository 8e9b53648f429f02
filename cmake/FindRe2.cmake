# FindRe2: the imported target re2::re2, from pkg-config's re2.
find_package(PkgConfig REQUIRED)
pkg_check_modules(Re2_PC QUIET IMPORTED_TARGET GLOBAL re2)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Re2 REQUIRED_VARS Re2_PC_FOUND VERSION_VAR Re2_PC_VERSION)
if(Re2_FOUND AND NOT TARGET re2::re2)
  add_library(re2::re2 ALIAS PkgConfig::Re2_PC)
endif()
