// Treats subnormal numbers as zeros, for loops in which they would only cost time.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace kwta::onednn::support {

// While this lives, the calling thread's arithmetic reads subnormal numbers as zeros and returns zeros for them, if the
// processor can. Do not call FixedOrderDot meanwhile.
class FlushSubnormals {
 public:
#if defined(__SSE2__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kSubnormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
#else
  FlushSubnormals() {}
  ~FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__SSE2__)
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kSubnormalsAreZero = 0x0040;
  const unsigned before_;
#endif
};

}  // namespace kwta::onednn::support
