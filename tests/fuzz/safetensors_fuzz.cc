#include "core/io/arrays/safetensors.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const kwta::MemoryFile file(data, size);
  const auto read = kwta::ReadSafetensors(file.path());
  if (!read.ok()) return 0;
  for (const auto& [name, tensor] : read->tensors) kwta::Touch(tensor.data(), tensor.bytes());
  return 0;
}
