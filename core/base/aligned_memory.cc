#include "core/base/aligned_memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "core/base/divide_up.h"

namespace kwta {

void* AllocateArray(size_t bytes, Pages pages) {
  const bool large = pages == Pages::kLarge && bytes >= kLargePageBytes;
  void* memory = nullptr;
  if (posix_memalign(&memory, large ? kLargePageBytes : kArrayAlignment, RoundUp(bytes, kArrayAlignment)) != 0) {
    return nullptr;
  }
  // What does not fill a large page at the array's end stays in small ones. A kernel that refuses costs time only.
  if (large) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
  return memory;
}

}  // namespace kwta
