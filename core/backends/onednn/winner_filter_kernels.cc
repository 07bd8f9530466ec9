#include "core/backends/onednn/winner_filter_kernels.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta {
namespace {

#if defined(__x86_64__)
#define KWTA_TILE_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi")
#define KWTA_TILE __attribute__((KWTA_TILE_TARGET, always_inline)) inline
#define KWTA_TILE_LOOP __attribute__((KWTA_TILE_TARGET))
namespace vnni {

using Lanes = __m512i;

KWTA_TILE Lanes Zero() { return _mm512_setzero_si512(); }
KWTA_TILE Lanes LoadLanes(const int32_t* from) { return _mm512_loadu_si512(from); }
KWTA_TILE void StoreLanes(const Lanes& lanes, int32_t* to) { _mm512_storeu_si512(to, lanes); }
KWTA_TILE Lanes Broadcast(const uint8_t* pixels) {
  int32_t group;
  std::memcpy(&group, pixels, sizeof(group));
  return _mm512_set1_epi32(group);
}
KWTA_TILE Lanes AddProducts(Lanes sums, const Lanes& pixels, const int8_t* weights) {
  // The compiler's own operation takes its sums through memory.
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(pixels), "m"(*reinterpret_cast<const __m512i*>(weights)));
  return sums;
}
KWTA_TILE uint32_t AtLeast(const Lanes& lanes, const Lanes& thresholds) {
  return _mm512_cmpge_epi32_mask(lanes, thresholds);
}
KWTA_TILE Lanes Larger(const Lanes& a, const Lanes& b) { return _mm512_mask_max_epi32(a, 0xffff, a, b); }
KWTA_TILE Lanes Minus(const Lanes& a, const Lanes& b) { return _mm512_sub_epi32(a, b); }
KWTA_TILE int64_t Append(const Lanes& lanes, uint32_t mask, int32_t place, int32_t* scores, int32_t* places) {
  const Lanes counting = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const auto chosen = static_cast<__mmask16>(mask);
  StoreLanes(_mm512_maskz_compress_epi32(chosen, lanes), scores);
  StoreLanes(_mm512_maskz_compress_epi32(chosen, _mm512_add_epi32(_mm512_set1_epi32(place), counting)), places);
  return __builtin_popcount(mask);
}

#include "core/backends/onednn/winner_filter_kernels.inc"

}  // namespace vnni
#undef KWTA_TILE_LOOP
#undef KWTA_TILE
#undef KWTA_TILE_TARGET
#endif

#define KWTA_TILE inline
#define KWTA_TILE_LOOP
namespace emulated {

struct Lanes {
  int32_t lane[kFilterLanes];
};

inline Lanes Zero() { return Lanes{}; }
inline Lanes LoadLanes(const int32_t* from) {
  Lanes lanes;
  std::copy_n(from, kFilterLanes, lanes.lane);
  return lanes;
}
inline void StoreLanes(const Lanes& lanes, int32_t* to) { std::copy_n(lanes.lane, kFilterLanes, to); }
inline Lanes Broadcast(const uint8_t* pixels) {
  int32_t group;
  std::memcpy(&group, pixels, sizeof(group));
  Lanes lanes;
  std::fill_n(lanes.lane, kFilterLanes, group);
  return lanes;
}
inline Lanes AddProducts(Lanes sums, const Lanes& pixels, const int8_t* weights) {
  uint8_t bytes[4];
  std::memcpy(bytes, pixels.lane, sizeof(bytes));
  for (int64_t l = 0; l < kFilterLanes; ++l) {
    for (int64_t b = 0; b < 4; ++b) sums.lane[l] += int32_t{bytes[b]} * weights[4 * l + b];
  }
  return sums;
}
inline uint32_t AtLeast(const Lanes& lanes, const Lanes& thresholds) {
  uint32_t mask = 0;
  for (int64_t l = 0; l < kFilterLanes; ++l) mask |= uint32_t{lanes.lane[l] >= thresholds.lane[l]} << l;
  return mask;
}
inline Lanes Larger(Lanes a, const Lanes& b) {
  for (int64_t l = 0; l < kFilterLanes; ++l) a.lane[l] = std::max(a.lane[l], b.lane[l]);
  return a;
}
inline Lanes Minus(Lanes a, const Lanes& b) {
  for (int64_t l = 0; l < kFilterLanes; ++l) a.lane[l] -= b.lane[l];
  return a;
}
inline int64_t Append(const Lanes& lanes, uint32_t mask, int32_t place, int32_t* scores, int32_t* places) {
  int64_t count = 0;
  for (int32_t l = 0; l < kFilterLanes; ++l) {
    if ((mask >> l & 1) == 0) continue;
    scores[count] = lanes.lane[l];
    places[count++] = place + l;
  }
  return count;
}

#include "core/backends/onednn/winner_filter_kernels.inc"

}  // namespace emulated
#undef KWTA_TILE_LOOP
#undef KWTA_TILE

#define KWTA_KERNELS "core/backends/onednn/winner_filter_images.inc"
#include "core/backends/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

FilterScoreFunction VnniFilterScores(int64_t vectors) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("bmi")) {
    return vnni::FilterScoresFor(vectors);
  }
#endif
  static_cast<void>(vectors);
  return nullptr;
}

FilterScoreFunction EmulatedFilterScores(int64_t vectors) { return emulated::FilterScoresFor(vectors); }

const FilterImageKernels& FilterImageKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kFilterImageKernels;
    case InstructionSet::kAvx2:
      return avx2::kFilterImageKernels;
#endif
    default:
      return portable::kFilterImageKernels;
  }
}

}  // namespace kwta
