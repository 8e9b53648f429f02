# FindZeroMQ: the imported target zeromq::zeromq, from pkg-config's libzmq.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZeroMQ_PC QUIET IMPORTED_TARGET GLOBAL libzmq)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ZeroMQ REQUIRED_VARS ZeroMQ_PC_FOUND VERSION_VAR ZeroMQ_PC_VERSION)
if(ZeroMQ_FOUND AND NOT TARGET zeromq::zeromq)
  add_library(zeromq::zeromq ALIAS PkgConfig::ZeroMQ_PC)
endif()
