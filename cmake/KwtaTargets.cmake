# How kwta's targets are made: one language level, one set of warnings, one place for programs.

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(KWTA_CCACHE ccache)
mark_as_advanced(KWTA_CCACHE)
if(KWTA_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KWTA_CCACHE})
endif()

# Several files are compiled as one, since most of the time goes into the headers that they share. Names in anonymous
# namespaces are therefore unique within a target. -DKWTA_UNITY=OFF compiles file by file.
set(CMAKE_UNITY_BUILD ${KWTA_UNITY})
if(NOT DEFINED CMAKE_UNITY_BUILD_BATCH_SIZE)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
endif()

# Flags of kwta's own code; generated code does without the warnings.
function(kwta_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(${target} PRIVATE -Wthread-safety)
  endif()
  if(KWTA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# kwta_library(NAME): the static library kwta_NAME, alias kwta::NAME. Folders add their files with target_sources.
function(kwta_library name)
  add_library(kwta_${name} STATIC)
  add_library(kwta::${name} ALIAS kwta_${name})
  set_target_properties(kwta_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(kwta_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/kwta>)
  kwta_compile_options(kwta_${name})
endfunction()

# kwta_kernels(NAME FILES ... [OPTIONS ...]): files of the library kwta_NAME that are compiled for each instruction set (see
# core/simd). Each is compiled alone: the macros that choose the instruction set must not meet another file's.
function(kwta_kernels name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "OPTIONS")
  target_sources(kwta_${name} PRIVATE ${arg_UNPARSED_ARGUMENTS})
  set_source_files_properties(${arg_UNPARSED_ARGUMENTS} TARGET_DIRECTORY kwta_${name} PROPERTIES
    SKIP_UNITY_BUILD_INCLUSION ON COMPILE_OPTIONS "${arg_OPTIONS}")
endfunction()

# kwta_program(NAME SOURCES ... LIBRARIES ...): a program in bin/, installed.
function(kwta_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} kwta::sanitizer)
  kwta_compile_options(${name})
endfunction()

# kwta_test(NAME SOURCES ... LIBRARIES ... [LABELS ...] [TIMEOUT seconds]): one test program of GoogleTest cases.
function(kwta_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${arg_LIBRARIES} GTest::gmock_main kwta::sanitizer)
  target_compile_definitions(${name}_test PRIVATE KWTA_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  kwta_compile_options(${name}_test)
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
                       ENVIRONMENT "${KWTA_TEST_ENVIRONMENT}")
endfunction()

# kwta_bench(NAME SOURCES ... LIBRARIES ...): one program of Google Benchmark cases.
function(kwta_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_executable(${name}_bench ${arg_SOURCES})
  target_link_libraries(${name}_bench PRIVATE ${arg_LIBRARIES} benchmark::benchmark)
  kwta_compile_options(${name}_bench)
endfunction()
