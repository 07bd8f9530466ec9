// The processor's intrinsics, for files that are compiled for each instruction set.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif
