#include "core/simd/row_noise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace kwta::row_noise_test {
namespace {

constexpr int64_t kMany = 1'000'000;

const simd::RowNoise& Best() { return simd::RowNoiseFor(simd::AvailableInstructionSets().front()); }

std::vector<uint32_t> Bits(const std::vector<float>& x) {
  std::vector<uint32_t> bits(x.size());
  std::memcpy(bits.data(), x.data(), x.size() * sizeof(float));
  return bits;
}

std::vector<float> Gaussians(const simd::RowNoise& noise, simd::NoiseKey key, int64_t n, float deviation = 1) {
  std::vector<float> out(n);
  noise.add_gaussian(key, deviation, out.data(), n, out.data());
  return out;
}

TEST(RowNoise, HasTheSameBitsOnEveryInstructionSet) {
  for (const int64_t n : {1, 15, 16, 17, 33, 784, 1000}) {
    std::vector<float> x(n, 0.5f);
    const std::vector<float> expected = Gaussians(Best(), 77, n, 0.3f);
    std::vector<float> masked(n);
    Best().mask(77, 1u << 30, x.data(), n, masked.data());
    for (const simd::InstructionSet set : simd::AvailableInstructionSets()) {
      const simd::RowNoise& noise = simd::RowNoiseFor(set);
      EXPECT_EQ(Bits(Gaussians(noise, 77, n, 0.3f)), Bits(expected)) << n;
      std::vector<float> actual(n);
      noise.mask(77, 1u << 30, x.data(), n, actual.data());
      EXPECT_EQ(actual, masked) << n;
    }
  }
}

TEST(RowNoise, NeedsNoAlignment) {
  const std::vector<float> x(101, 0.5f);
  for (const simd::InstructionSet set : simd::AvailableInstructionSets()) {
    const simd::RowNoise& noise = simd::RowNoiseFor(set);
    std::vector<float> first(101), other(101);
    noise.mask(5, 1u << 31, x.data(), 100, first.data());
    noise.mask(5, 1u << 31, x.data() + 1, 100, other.data() + 1);
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + 100, other.begin() + 1));
    noise.add_gaussian(5, 1, x.data(), 100, first.data());
    noise.add_gaussian(5, 1, x.data() + 1, 100, other.data() + 1);
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + 100, other.begin() + 1));
  }
}

TEST(RowNoise, IsGaussian) {
  const std::vector<float> z = Gaussians(Best(), 123456789012345u, kMany);
  double moments[5] = {};
  for (const float each : z) {
    for (int m = 1; m < 5; ++m) moments[m] += std::pow(double{each}, m) / kMany;
  }
  // Five standard errors of each moment.
  EXPECT_NEAR(moments[1], 0, 5 * 1e-3);
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2.0) * 1e-3);
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15.0) * 1e-3);
  EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96.0) * 1e-3);
  // The greatest distance from the distribution function; 1.95 / sqrt(n) is passed once in a thousand times.
  std::vector<float> sorted = z;
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;
  for (int64_t i = 0; i < kMany; ++i) {
    const double p = 0.5 * std::erfc(-sorted[i] / std::sqrt(2.0));
    distance = std::max(distance, std::abs(p - (static_cast<double>(i) + 0.5) / kMany));
  }
  EXPECT_LT(distance, 1.95e-3);
  EXPECT_GT(sorted.back(), 4);
  EXPECT_LT(sorted.front(), -4);
}

TEST(RowNoise, NeighboursAndPairsAreUncorrelated) {
  const std::vector<float> z = Gaussians(Best(), 42, kMany);
  for (const int64_t lag : {1, 2, 16, 32}) {
    double product = 0, squares = 0;
    for (int64_t i = 0; i + lag < kMany; ++i) {
      product += double{z[i]} * z[i + lag];
      squares += (double{z[i]} * z[i] - 1) * (double{z[i + lag]} * z[i + lag] - 1);
    }
    EXPECT_NEAR(product / kMany, 0, 5e-3) << lag;
    EXPECT_NEAR(squares / kMany, 0, 5 * 2e-3) << lag;
  }
}

TEST(RowNoise, KeysGiveOtherNumbers) {
  // Keys that differ in one bit each.
  const std::vector<float> first = Gaussians(Best(), 0, 10'000);
  for (int bit = 0; bit < 64; ++bit) {
    const std::vector<float> other = Gaussians(Best(), uint64_t{1} << bit, 10'000);
    double product = 0;
    for (size_t i = 0; i < first.size(); ++i) product += double{first[i]} * other[i];
    EXPECT_NEAR(product / 10'000, 0, 5e-2) << bit;
  }
  std::set<float> starts;
  for (uint64_t key = 0; key < 1000; ++key) starts.insert(Gaussians(Best(), key, 1)[0]);
  EXPECT_GT(starts.size(), 995u);
}

TEST(RowNoise, MasksWithItsRate) {
  const std::vector<float> x(kMany, 2.0f);
  std::vector<float> out(kMany);
  for (const double rate : {0.0, 0.01, 0.2, 0.9}) {
    Best().mask(9, static_cast<uint32_t>(rate * 0x1p32), x.data(), kMany, out.data());
    const auto hidden = std::count(out.begin(), out.end(), 0.0f);
    EXPECT_EQ(hidden + std::count(out.begin(), out.end(), 2.0f), kMany);
    EXPECT_NEAR(static_cast<double>(hidden) / kMany, rate, 5 * std::sqrt(rate * (1 - rate) / kMany));
  }
}

}  // namespace
}  // namespace kwta::row_noise_test
