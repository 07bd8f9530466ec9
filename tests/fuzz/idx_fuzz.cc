#include "core/io/datasets/idx.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const kwta::MemoryFile file(data, size);
  const auto read = kwta::ReadIdx(file.path(), /*max_bytes=*/1 << 20);
  if (read.ok()) kwta::Touch(read->data(), read->bytes());
  return 0;
}
