# FindIsal: the imported target isal::isal, from pkg-config's libisal (gzip three times as fast as zlib).
find_package(PkgConfig REQUIRED)
pkg_check_modules(Isal_PC QUIET IMPORTED_TARGET GLOBAL libisal)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Isal REQUIRED_VARS Isal_PC_FOUND VERSION_VAR Isal_PC_VERSION)
if(Isal_FOUND AND NOT TARGET isal::isal)
  add_library(isal::isal ALIAS PkgConfig::Isal_PC)
endif()
