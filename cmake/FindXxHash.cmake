# FindXxHash: the imported target xxhash::xxhash, from pkg-config's libxxhash.
find_package(PkgConfig REQUIRED)
pkg_check_modules(XxHash_PC QUIET IMPORTED_TARGET GLOBAL libxxhash)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XxHash REQUIRED_VARS XxHash_PC_FOUND VERSION_VAR XxHash_PC_VERSION)
if(XxHash_FOUND AND NOT TARGET xxhash::xxhash)
  add_library(xxhash::xxhash ALIAS PkgConfig::XxHash_PC)
endif()
