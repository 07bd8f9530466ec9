// Fetching memory before it is needed.
#pragma once

#include <cstdint>

namespace kwta {

constexpr int64_t kFloatsOfALine = 16;

// Lines of x[n], which will be written: other processors give up theirs.
inline void PrefetchToWrite(float* x, int64_t n) {
  for (int64_t at = 0; at < n; at += kFloatsOfALine) {
#if defined(__x86_64__)
    // What the compiler makes of __builtin_prefetch for the plain instruction set only reads. Processors that do not
    // know the instruction pass over it.
    __asm__ volatile("prefetchw %0" : : "m"(x[at]));
#else
    __builtin_prefetch(x + at, 1);
#endif
  }
}

}  // namespace kwta
