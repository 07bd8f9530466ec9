#include "core/io/arrays/array_bytes.h"
#include "core/io/arrays/npy.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const kwta::MemoryFile file(data, size);
  const auto read = kwta::ReadNpy(file.path());
  if (read.ok()) kwta::Touch(read->array.data, *kwta::ArrayBytes(read->array.dtype, read->array.shape));
  const auto rows = kwta::ReadNpyRows(file.path());
  if (rows.ok()) kwta::Touch(rows->array.data, *kwta::ArrayBytes(rows->array.dtype, rows->array.shape));
  return 0;
}
