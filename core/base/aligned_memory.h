// Memory of arrays.
#pragma once

#include <cstddef>

namespace kwta {

// Arrays begin at a cache line.
constexpr size_t kArrayAlignment = 64;

// A page of this size spares the processor the page tables of 512 small ones. Reading parts of a large array in no
// order waits for these tables about as long as for the array.
constexpr size_t kLargePageBytes = size_t{2} << 20;

// Pages of arrays of kLargePageBytes or more. The kernel is only asked for large ones: an array may get small ones.
enum class Pages {
  kSmall,  // for arrays that may never be used as a whole: no more memory is taken than is touched
  kLarge,
};

// Returns `bytes` of uninitialised memory, rounded up to a multiple of kArrayAlignment, or null if there is not so
// much. The caller frees it with std::free. Thread-safe. REQUIRES: bytes > 0.
void* AllocateArray(size_t bytes, Pages pages);

}  // namespace kwta
