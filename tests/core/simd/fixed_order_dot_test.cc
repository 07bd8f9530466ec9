#include "core/simd/fixed_order_dot.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::simd::fixed_order_dot_test {
namespace {

// The definition, one rounding at a time: volatile keeps any compiler from fusing or reordering.
float PlainDot(const float* x, const float* w, int64_t n) {
  volatile float lanes[64] = {};
  for (int64_t i = 0; i < n; ++i) {
    volatile float product = x[i] * w[i];
    lanes[i % 64] = lanes[i % 64] + product;
  }
  for (int step = 32; step >= 1; step /= 2) {
    for (int l = 0; l < step; ++l) lanes[l] = lanes[l] + lanes[l + step];
  }
  return lanes[0];
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

std::vector<float> Random(int64_t n, uint64_t seed, int exponent_spread, int exponent) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& value : values) {
    const int spread = static_cast<int>(rng.UniformBelow(2 * exponent_spread + 1)) - exponent_spread;
    value = std::ldexp(static_cast<float>(rng.Gaussian()), exponent + spread);
  }
  return values;
}

TEST(FixedOrderDot, EveryInstructionSetGivesTheDefinitionsBits) {
  for (InstructionSet set : AvailableInstructionSets()) {
    const DotFunction dot = FixedOrderDotFor(set);
    for (int64_t n = 0; n <= 260; ++n) {
      // Ordinary numbers, then numbers of which many products are subnormal.
      for (int exponent : {0, -68}) {
        const std::vector<float> x = Random(n + 1, 2 * n, 6, exponent), w = Random(n + 1, 2 * n + 1, 6, exponent);
        // From the second element on, so that nothing is aligned.
        EXPECT_EQ(BitsOf(dot(x.data() + 1, w.data() + 1, n)), BitsOf(PlainDot(x.data() + 1, w.data() + 1, n)))
            << "instruction set " << static_cast<int>(set) << ", n " << n << ", exponent " << exponent;
      }
    }
    const std::vector<float> x = Random(784, 1, 0, 0), w = Random(784, 2, 0, 0);
    EXPECT_EQ(BitsOf(dot(x.data(), w.data(), 784)), BitsOf(FixedOrderDot(x.data(), w.data(), 784)));
  }
}

TEST(FixedOrderDot, RoundsProductsBeforeTheyAreAdded) {
  // (1 + e)(1 - e) = 1 - e^2 rounds to 1; fused with -1 it would give -e^2.
  const float e = 0x1p-13f;
  std::vector<float> x(65), w(65);
  x[0] = 1;
  w[0] = -1;
  x[64] = 1 + e;
  w[64] = 1 - e;
  for (InstructionSet set : AvailableInstructionSets()) EXPECT_EQ(FixedOrderDotFor(set)(x.data(), w.data(), 65), 0.0f);
}

TEST(FixedOrderDot, StaysWithinItsBound) {
  for (int64_t n : {1, 2, 63, 64, 65, 784, 3072, 20000}) {
    const std::vector<float> x = Random(n, n, 3, 0), w = Random(n, n + 1, 3, 0);
    long double exact = 0, x_squared = 0, w_squared = 0;
    for (int64_t i = 0; i < n; ++i) {
      exact += static_cast<long double>(x[i]) * w[i];
      x_squared += static_cast<long double>(x[i]) * x[i];
      w_squared += static_cast<long double>(w[i]) * w[i];
    }
    EXPECT_LE(std::abs(FixedOrderDot(x.data(), w.data(), n) - exact),
              DotErrorFactor(n) * std::sqrt(x_squared * w_squared));
  }
}

TEST(FixedOrderDot, NothingIsZero) { EXPECT_EQ(BitsOf(FixedOrderDot(nullptr, nullptr, 0)), 0u); }

}  // namespace
}  // namespace kwta::simd::fixed_order_dot_test
