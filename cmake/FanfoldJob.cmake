# fanfold_add_job(NAME SOURCES file... [LIBRARIES target...])
#   The job plugin libNAME.so as target NAME: a module that `fanfold run ./libNAME.so` loads. The
#   built-in jobs are made by this same function. Nothing leaves a plugin but its entry point, so
#   symbols are hidden; unique symbols would tie plugins of one process together.
function(fanfold_add_job name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fanfold_add_job(${name}): say fanfold_add_job(NAME SOURCES file... [LIBRARIES target...])")
  endif()
  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fanfold::sdk ${arg_LIBRARIES})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  set_target_properties(${name} PROPERTIES
    PREFIX lib SUFFIX .so
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
endfunction()
