# kwta::sanitizer: linked into every program. Empty, except under ThreadSanitizer: see tests/tsan.

add_library(kwta_sanitizer INTERFACE)
add_library(kwta::sanitizer ALIAS kwta_sanitizer)

# Debian's gRPC is not instrumented either: what the sanitizer sees of it, such as its copies of memory, means nothing.
set(KWTA_TEST_ENVIRONMENT
    "TSAN_OPTIONS=ignore_noninstrumented_modules=1:suppressions=${PROJECT_SOURCE_DIR}/tests/tsan/suppressions.txt")

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  set(wrapper ${PROJECT_SOURCE_DIR}/tests/tsan/absl_synchronization.cc)
  target_sources(kwta_sanitizer INTERFACE ${wrapper})
  target_link_libraries(kwta_sanitizer INTERFACE absl::synchronization)
  if(KWTA_SERVER)
    target_sources(kwta_sanitizer INTERFACE ${PROJECT_SOURCE_DIR}/tests/tsan/grpc_completion_queues.cc)
  endif()
  # The functions to wrap are those that the file defines.
  file(STRINGS ${wrapper} wrapped REGEX "^KWTA_WRAP\\([a-z]+, [A-Za-z0-9_]+")
  foreach(line IN LISTS wrapped)
    string(REGEX REPLACE "^KWTA_WRAP\\([a-z]+, ([A-Za-z0-9_]+).*" "\\1" symbol "${line}")
    target_link_options(kwta_sanitizer INTERFACE LINKER:--wrap=${symbol})
  endforeach()
endif()
