// The processor's intrinsics, for files compiled once for each instruction set.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif
