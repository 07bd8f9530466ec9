#include "server/freed_memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>

namespace kwta::server {

void ReturnFreedMemory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void FreedMemory::Look() {
#ifdef __GLIBC__
  constexpr size_t kMuch = 32 << 20;
  const size_t free = ::mallinfo2().fordblks;
  // Memory that comes and goes with each batch is free at one look and used at the next.
  const size_t unused = std::min(free, before_);
  before_ = free;
  if (unused < kept_ + kMuch) {
    kept_ = std::min(kept_, free);
    return;
  }
  ReturnFreedMemory();
  kept_ = before_ = ::mallinfo2().fordblks;
#endif
}

}  // namespace kwta::server
