#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "core/backends/onednn/codes/largest.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::top_k_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Compares bit for bit with the reference.
void ExpectExact(simd::InstructionSet set, const std::vector<float>& scores, int64_t k) {
  const int64_t n = static_cast<int64_t>(scores.size());
  std::vector<int32_t> expected(k), indices(k + 1, -7);
  std::vector<float> expected_values(k), values(k + 1, -7);
  ExactTopK(scores.data(), n, k, expected.data(), expected_values.data());
  std::vector<float> scratch(TopKScratchElements(n));
  LargestKernelsFor(set).top_k(scores.data(), n, k, nullptr, scratch.data(), indices.data(), values.data());
  EXPECT_EQ(indices[k], -7) << "wrote beyond k";
  EXPECT_EQ(values[k], -7) << "wrote beyond k";
  indices.resize(k);
  ASSERT_EQ(indices, expected) << "n " << n << " k " << k;
  EXPECT_EQ(std::memcmp(values.data(), expected_values.data(), k * sizeof(float)), 0) << "n " << n << " k " << k;
}

// Some k for n scores, around the numbers of groups too.
std::set<int64_t> SomeK(int64_t n) {
  std::set<int64_t> some;
  for (int64_t k : {int64_t{1}, int64_t{2}, int64_t{15}, int64_t{64}, int64_t{128}, int64_t{129}, n / 2, n - 1, n}) {
    if (k >= 1 && k <= n) some.insert(k);
  }
  return some;
}

struct Pattern {
  std::string name;
  std::function<float(int64_t i, int64_t n, Rng& rng)> score;
};

std::vector<Pattern> Patterns() {
  const auto random = [](Rng& rng) { return static_cast<float>(rng.Gaussian()); };
  return {
      {"random", [=](int64_t, int64_t, Rng& rng) { return random(rng); }},
      {"equal", [](int64_t, int64_t, Rng&) { return 1.5f; }},
      {"minus_infinity", [](int64_t, int64_t, Rng&) { return -kInfinity; }},
      {"plus_infinity", [](int64_t, int64_t, Rng&) { return kInfinity; }},
      {"nan", [](int64_t, int64_t, Rng&) { return kNan; }},
      {"ascending", [](int64_t i, int64_t, Rng&) { return static_cast<float>(i); }},
      {"descending", [](int64_t i, int64_t, Rng&) { return -static_cast<float>(i); }},
      {"coarse", [=](int64_t, int64_t, Rng& rng) { return std::round(2 * random(rng)); }},
      {"signed_zeros", [](int64_t, int64_t, Rng& rng) { return rng.Uniform() < 0.5 ? 0.0f : -0.0f; }},
      {"zeros_among_few",
       [](int64_t i, int64_t n, Rng& rng) {
         if (i == n / 3) return 1e-45f;
         return rng.Uniform() < 0.5 ? 0.0f : -0.0f;
       }},
      {"one_ulp_apart",
       [](int64_t, int64_t, Rng& rng) { return rng.Uniform() < 0.5 ? 1.0f : std::nextafter(1.0f, 2.0f); }},
      {"negative_one_ulp_apart",
       [](int64_t, int64_t, Rng& rng) { return rng.Uniform() < 0.5 ? -1.0f : std::nextafter(-1.0f, -2.0f); }},
      {"subnormal", [=](int64_t, int64_t, Rng& rng) { return random(rng) * 1e-43f; }},
      {"huge_range", [=](int64_t, int64_t, Rng& rng) { return random(rng) * std::pow(10.0f, 30 * random(rng) / 4); }},
      {"infinities_among",
       [=](int64_t, int64_t, Rng& rng) {
         const double which = rng.Uniform();
         return which < 0.2 ? kInfinity : which < 0.4 ? -kInfinity : random(rng);
       }},
      {"nan_among",
       [=](int64_t, int64_t, Rng& rng) {
         const double which = rng.Uniform();
         return which < 0.6 ? kNan : which < 0.7 ? -kInfinity : random(rng);
       }},
      {"one_number", [](int64_t i, int64_t n, Rng&) { return i == n - 1 ? 3.0f : kNan; }},
      {"largest_together",
       [](int64_t i, int64_t, Rng& rng) { return static_cast<float>(rng.Uniform() + (i < 70 ? 10 : 0)); }},
      {"largest_in_one_group",
       [](int64_t i, int64_t, Rng& rng) { return static_cast<float>(rng.Uniform() + (i % 256 == 3 ? 10 : 0)); }},
  };
}

class TopKTest : public testing::TestWithParam<simd::InstructionSet> {};

TEST_P(TopKTest, AgreesWithTheReferenceOnEveryPattern) {
  for (const Pattern& pattern : Patterns()) {
    SCOPED_TRACE(pattern.name);
    for (int64_t n : {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 255, 256, 511, 512, 513, 1000, 1023, 1031, 2049, 4099}) {
      Rng rng(n);
      std::vector<float> scores(n);
      for (int64_t i = 0; i < n; ++i) scores[i] = pattern.score(i, n, rng);
      for (int64_t k : SomeK(n)) ASSERT_NO_FATAL_FAILURE(ExpectExact(GetParam(), scores, k));
    }
  }
}

TEST_P(TopKTest, AgreesWithTheReferenceOnLongRows) {
  Rng rng(1);
  std::vector<float> scores(32768 + 5);
  for (float& score : scores) score = static_cast<float>(rng.Gaussian());
  for (int64_t k : {1, 64, 1000, 20000}) ASSERT_NO_FATAL_FAILURE(ExpectExact(GetParam(), scores, k));
}

TEST_P(TopKTest, FetchingTheNextRowChangesNothing) {
  const int64_t n = 3000, k = 64;
  Rng rng(2);
  std::vector<float> scores(2 * n);
  for (float& score : scores) score = static_cast<float>(rng.Gaussian());
  std::vector<int32_t> expected(k), indices(k);
  std::vector<float> values(k), scratch(TopKScratchElements(n));
  ExactTopK(scores.data(), n, k, expected.data(), values.data());
  LargestKernelsFor(GetParam())
      .top_k(scores.data(), n, k, scores.data() + n, scratch.data(), indices.data(), values.data());
  EXPECT_EQ(indices, expected);
}

INSTANTIATE_TEST_SUITE_P(EverySet, TopKTest, testing::ValuesIn(simd::AvailableInstructionSets()));

}  // namespace
}  // namespace kwta::onednn::codes::top_k_test
