#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/base/rng.h"
#include "core/simd/instruction_sets.h"
#include "core/simd/intrinsics.h"
#include "gtest/gtest.h"

namespace kwta::simd::vector_operations_test {
namespace {

struct Operations {
  int lanes;
  int32_t weight_limit;
  void (*add_products)(const uint8_t* x, const int8_t* w, int32_t* sums);
  void (*signed_bytes_to_floats)(const int8_t* bytes, float* out);
  void (*bytes_to_floats)(const uint8_t* bytes, float* out);
  uint32_t (*non_zero_mask)(const int32_t* x);
  uint32_t (*at_least_mask)(const float* x, float least);
  int (*store_indices)(uint32_t mask, int32_t first, int32_t* out);
  void (*store_lanes)(uint32_t mask, const float* x, float* out);
};

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "tests/core/simd/vector_operations_test.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

class VectorOperationsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  const Operations& operations_ = VersionFor(GetParam());
  const int lanes_ = operations_.lanes;
  // Fill vectors of any instruction set.
  static constexpr int kMost = 16;
};

TEST_P(VectorOperationsTest, SumsOfFourProductsAreExactUpToTheLimitOfWeights) {
  Rng rng(1);
  for (int trial = 0; trial < 500; ++trial) {
    uint8_t x[4 * kMost];
    int8_t w[4 * kMost];
    int32_t sums[kMost], expected[kMost];
    for (int i = 0; i < 4 * kMost; ++i) {
      const bool extreme = trial < 50;
      x[i] = static_cast<uint8_t>(extreme ? 255 : rng.UniformBelow(256));
      const int32_t limit = operations_.weight_limit;
      const int32_t any = static_cast<int32_t>(rng.UniformBelow(2 * limit + 1)) - limit;
      w[i] = static_cast<int8_t>(!extreme ? any : trial % 2 == 0 ? limit : -limit);
    }
    for (int l = 0; l < kMost; ++l) {
      sums[l] = expected[l] = static_cast<int32_t>(rng.UniformBelow(1000)) - 500;
      for (int b = 0; b < 4; ++b) expected[l] += x[4 * l + b] * w[4 * l + b];
    }
    operations_.add_products(x, w, sums);
    for (int l = 0; l < lanes_; ++l) ASSERT_EQ(sums[l], expected[l]);
  }
}

TEST_P(VectorOperationsTest, BytesBecomeFloats) {
  for (int first = 0; first < 256; first += kMost) {
    uint8_t bytes[kMost];
    int8_t signed_bytes[kMost];
    float floats[kMost], signed_floats[kMost];
    for (int l = 0; l < kMost; ++l) bytes[l] = static_cast<uint8_t>(first + l);
    std::memcpy(signed_bytes, bytes, sizeof(bytes));
    operations_.bytes_to_floats(bytes, floats);
    operations_.signed_bytes_to_floats(signed_bytes, signed_floats);
    for (int l = 0; l < lanes_; ++l) {
      EXPECT_EQ(floats[l], static_cast<float>(bytes[l]));
      EXPECT_EQ(signed_floats[l], static_cast<float>(signed_bytes[l]));
    }
  }
}

TEST_P(VectorOperationsTest, MasksHaveABitForEachLane) {
  Rng rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    int32_t numbers[kMost];
    float floats[kMost];
    uint32_t non_zero = 0, at_least = 0;
    for (int l = 0; l < kMost; ++l) {
      numbers[l] = rng.UniformBelow(2) ? 0 : static_cast<int32_t>(0x80000000u >> rng.UniformBelow(32));
      floats[l] = rng.UniformBelow(8) == 0 ? NAN : static_cast<float>(rng.UniformBelow(5)) - 2;
      if (l >= lanes_) continue;
      non_zero |= static_cast<uint32_t>(numbers[l] != 0) << l;
      at_least |= static_cast<uint32_t>(floats[l] >= 0) << l;
    }
    EXPECT_EQ(operations_.non_zero_mask(numbers), non_zero);
    EXPECT_EQ(operations_.at_least_mask(floats, 0), at_least);
  }
}

TEST_P(VectorOperationsTest, StoresTheLanesOfAMaskInOrder) {
  float x[kMost];
  for (int l = 0; l < kMost; ++l) x[l] = static_cast<float>(100 + l);
  for (uint32_t mask = 0; mask < 1u << lanes_; mask += lanes_ == 16 ? 7 : 1) {
    int32_t indices[kMost];
    float kept[kMost];
    const int count = operations_.store_indices(mask, 1000, indices);
    operations_.store_lanes(mask, x, kept);
    ASSERT_EQ(count, __builtin_popcount(mask));
    int at = 0;
    for (int l = 0; l < lanes_; ++l) {
      if ((mask >> l & 1) == 0) continue;
      ASSERT_EQ(indices[at], 1000 + l);
      ASSERT_EQ(kept[at], x[l]);
      ++at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, VectorOperationsTest, testing::ValuesIn(AvailableInstructionSets()));

}  // namespace
}  // namespace kwta::simd::vector_operations_test
