# FindMsgPackCxx: the imported target msgpack::msgpack, headers alone. Debian's package of msgpack-cxx
# has no pkg-config file and a CMake package whose name differs between releases.
find_path(MsgPackCxx_INCLUDE_DIR msgpack.hpp)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MsgPackCxx REQUIRED_VARS MsgPackCxx_INCLUDE_DIR)
if(MsgPackCxx_FOUND AND NOT TARGET msgpack::msgpack)
  add_library(msgpack::msgpack INTERFACE IMPORTED)
  target_include_directories(msgpack::msgpack INTERFACE ${MsgPackCxx_INCLUDE_DIR})
  target_compile_definitions(msgpack::msgpack INTERFACE MSGPACK_NO_BOOST)
endif()
