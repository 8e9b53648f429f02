# Flags of our own targets. `fanfold_settings` is linked by every one of them; the SDK's own needs
# (floating point without contraction) travel with fanfold::sdk instead, to users' jobs too.
include(CheckCXXCompilerFlag)

add_library(fanfold_settings INTERFACE)
target_compile_options(fanfold_settings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -ffp-contract=off
                                                  -fno-math-errno)
if(FANFOLD_WARNINGS_AS_ERRORS)
  target_compile_options(fanfold_settings INTERFACE -Werror)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # The oldest x86 machine a release runs on; faster kernels are chosen at run time.
  target_compile_options(fanfold_settings INTERFACE -march=x86-64-v2)
endif()
if(FANFOLD_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(FANFOLD_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
