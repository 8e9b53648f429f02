# Flags of our own targets. `fanfold_settings` is linked by every one of them; the SDK's own needs
# (floating point without contraction) travel with fanfold::sdk instead, to users' jobs too.
add_library(fanfold_settings INTERFACE)
target_compile_options(fanfold_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  -ffp-contract=off -fno-math-errno
  # Names of source files in messages and debug information start at the source folder, so that two
  # builds of one commit are alike wherever they were made (and share their cache).
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
# GCC 12 at -O3 loses track of which alternative a std::variant holds, and of how long a std::string is, and
# warns of memory that is not there; so it does where the layout of a state is known at run time only (jobs/stats).
target_compile_options(fanfold_settings INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-stringop-overflow$<SEMICOLON>-Wno-restrict$<SEMICOLON>-Wno-array-bounds>)
if(FANFOLD_WARNINGS_AS_ERRORS)
  target_compile_options(fanfold_settings INTERFACE -Werror)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # The oldest x86 machine a release runs on; faster kernels are chosen at run time.
  target_compile_options(fanfold_settings INTERFACE -march=x86-64-v2)
endif()

# Sanitizers are of the whole program or of none of it.
if(FANFOLD_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(FANFOLD_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  # Stands before TBB's own headers, whose library ThreadSanitizer cannot see into.
  include_directories(BEFORE ${PROJECT_SOURCE_DIR}/tests/tsan)
elseif(FANFOLD_SANITIZE)
  message(FATAL_ERROR "FANFOLD_SANITIZE is '${FANFOLD_SANITIZE}': use address, thread or nothing")
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths below the source folder are made relative, so that two checkouts share what they compile.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()
