#include "core/simd/fixed_order_convolution.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"
#include "gtest/gtest.h"

namespace kwta::simd::fixed_order_convolution_test {
namespace {

// The definition, one rounding at a time, on a patch [channels, size, size]: volatile keeps any compiler from fusing or
// reordering. Without `all` products with a zero of the patch are left out.
float PlainConvolution(const std::vector<float>& patch, const std::vector<float>& filter, int64_t channels,
                       int64_t size, bool all = true) {
  int64_t lanes = 1;
  while (lanes < size) lanes *= 2;
  std::vector<float> sums(lanes);
  for (int64_t dx = 0; dx < size; ++dx) {
    volatile float sum = 0;
    for (int64_t row = 0; row < channels * size; ++row) {
      if (!all && patch[row * size + dx] == 0) continue;
      volatile float product = patch[row * size + dx] * filter[row * size + dx];
      sum = sum + product;
    }
    sums[dx] = sum;
  }
  for (int64_t step = lanes / 2; step >= 1; step /= 2) {
    for (int64_t l = 0; l < step; ++l) {
      volatile float sum = sums[l] + sums[l + step];
      sums[l] = sum;
    }
  }
  return sums[0];
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

std::vector<float> Random(int64_t n, uint64_t seed, int exponent) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& value : values) {
    value = std::ldexp(static_cast<float>(rng.Gaussian()), exponent + static_cast<int>(rng.UniformBelow(13)) - 6);
  }
  return values;
}

TEST(FixedOrderConvolution, EveryInstructionSetGivesTheDefinitionsBits) {
  for (InstructionSet set : AvailableInstructionSets()) {
    const ConvolutionFunction convolution = FixedOrderConvolutionFor(set);
    for (int64_t channels : {1, 2, 3, 5}) {
      for (int64_t size = 1; size <= 19; ++size) {
        // Ordinary numbers, then numbers of which many products are subnormal.
        for (int exponent : {0, -68}) {
          const int64_t n = channels * size * size;
          const std::vector<float> patch = Random(n, 2 * n, exponent), filter = Random(n, 2 * n + 1, exponent);
          EXPECT_EQ(BitsOf(convolution(patch.data(), size * size, size, filter.data(), channels, size)),
                    BitsOf(PlainConvolution(patch, filter, channels, size)))
              << "instruction set " << static_cast<int>(set) << ", " << channels << " channels, size " << size;
        }
      }
    }
  }
}

TEST(FixedOrderConvolution, ReadsAPatchWhereItLiesInAnImage) {
  const int64_t channels = 3, height = 13, width = 17;
  std::vector<float> image = Random(channels * height * width, 1, 0);
  for (InstructionSet set : AvailableInstructionSets()) {
    for (int64_t size : {1, 4, 7, 9, 13}) {
      const std::vector<float> filter = Random(channels * size * size, 2, 0);
      // The last patch ends with the image.
      const int64_t y = height - size, x = width - size;
      std::vector<float> patch;
      for (int64_t row = 0; row < channels * size; ++row) {
        const float* from = image.data() + (row / size * height + y + row % size) * width + x;
        patch.insert(patch.end(), from, from + size);
      }
      // What lies between the rows of the patch does not enter.
      std::vector<float> spoilt = image;
      for (int64_t i = 0; i < channels * height * width; ++i) {
        if (i % width < x) spoilt[i] = std::numeric_limits<float>::quiet_NaN();
      }
      EXPECT_EQ(BitsOf(FixedOrderConvolutionFor(set)(spoilt.data() + y * width + x, height * width, width,
                                                     filter.data(), channels, size)),
                BitsOf(PlainConvolution(patch, filter, channels, size)));
    }
  }
}

TEST(FixedOrderConvolution, ProductsWithZeroMayBeLeftOut) {
  Rng rng(3);
  for (int64_t size : {2, 5, 7}) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const int64_t n = 2 * size * size;
      std::vector<float> patch = Random(n, seed, 0);
      for (float& pixel : patch) {
        // Zeros of both signs, and small numbers that cancel.
        const uint64_t kind = rng.UniformBelow(4);
        if (kind < 2) pixel = kind == 0 ? 0.0f : -0.0f;
        if (kind == 2) pixel = rng.UniformBelow(2) == 0 ? 1.0f : -1.0f;
      }
      std::vector<float> filter(n, -1.0f);
      EXPECT_EQ(BitsOf(FixedOrderConvolution(patch.data(), size * size, size, filter.data(), 2, size)),
                BitsOf(PlainConvolution(patch, filter, 2, size, /*all=*/false)));
    }
  }
}

TEST(FixedOrderConvolution, RoundsProductsBeforeTheyAreAdded) {
  // (1 + e)(1 - e) = 1 - e^2 rounds to 1; fused with -1 it would give -e^2.
  const float e = 0x1p-13f;
  const std::vector<float> patch = {1, 0, 1 + e, 0}, filter = {-1, 0, 1 - e, 0};
  for (InstructionSet set : AvailableInstructionSets()) {
    EXPECT_EQ(FixedOrderConvolutionFor(set)(patch.data(), 4, 2, filter.data(), 1, 2), 0.0f);
  }
}

TEST(FixedOrderConvolution, TheTreeAddsHalvesOntoEachOther) {
  // Columns 2^24, 1, 1, 1, 1: columns 0 and 4 first, and the one is lost; then column 2 is lost; columns 1 and 3 make
  // 2, which is not. In the order of the columns every one would be lost.
  std::vector<float> patch(25), filter(25, 1.0f);
  patch[0] = 0x1p24f;
  for (int64_t dx = 1; dx < 5; ++dx) patch[dx] = 1;
  EXPECT_EQ(FixedOrderConvolution(patch.data(), 25, 5, filter.data(), 1, 5), 0x1p24f + 2);
}

TEST(FixedOrderConvolution, StaysWithinItsBound) {
  for (int64_t size : {1, 7, 33, 128}) {
    const int64_t n = 3 * size * size;
    const std::vector<float> x = Random(n, n, 0), w = Random(n, n + 1, 0);
    long double exact = 0, x_squared = 0, w_squared = 0;
    for (int64_t i = 0; i < n; ++i) {
      exact += static_cast<long double>(x[i]) * w[i];
      x_squared += static_cast<long double>(x[i]) * x[i];
      w_squared += static_cast<long double>(w[i]) * w[i];
    }
    EXPECT_LE(std::abs(FixedOrderConvolution(x.data(), size * size, size, w.data(), 3, size) - exact),
              DotErrorFactor(n) * std::sqrt(x_squared * w_squared));
  }
}

}  // namespace
}  // namespace kwta::simd::fixed_order_convolution_test
