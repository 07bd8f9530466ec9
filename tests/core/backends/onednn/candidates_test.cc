#include "core/backends/onednn/candidates.h"

#include <cmath>
#include <vector>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta {
namespace {

using testing::ElementsAre;

// Scores of which the approximate ones are wrong by up to `error`, either way, for unit atoms and |x| = 1.
class Scores {
 public:
  Scores(std::vector<float> exact, std::vector<float> approximate)
      : exact_(std::move(exact)), approximate_(std::move(approximate)) {
    norms_.assign(exact_.size(), 1.0);
    bias_.assign(exact_.size(), 0.0f);
  }

  void SetNorm(int64_t unit, double norm) { norms_[unit] = norm; }

  // The units chosen when scores are believed to be within error_factor * |w|.
  std::vector<int32_t> Choose(int64_t k, double error_factor) {
    const int64_t units = static_cast<int64_t>(exact_.size());
    ScoreBound bound;
    bound.error_factor = error_factor;
    bound.x_norm = 1;
    bound.atom_norms = norms_.data();
    bound.bias = bias_.data();
    for (double norm : norms_) bound.largest_norm = std::max(bound.largest_norm, norm);
    std::vector<int32_t> candidates(units), indices(k);
    std::vector<float> scratch(TopKScratchElements(units)), exact(units), values(k);
    const InstructionSet set = AvailableInstructionSets().front();
    candidates_ = FindCandidates(KernelsFor(set), SelectTopKFor(set), approximate_.data(), units, k, bound,
                                 scratch.data(), indices.data(), values.data(), candidates.data());
    for (int64_t i = 0; i < candidates_; ++i) exact[i] = exact_[candidates[i]];
    ExactTopK(exact.data(), candidates_, k, indices.data(), values.data());
    for (int32_t& index : indices) index = candidates[index];
    return indices;
  }

  std::vector<int32_t> Expected(int64_t k) const {
    std::vector<int32_t> indices(k);
    std::vector<float> values(k);
    ExactTopK(exact_.data(), static_cast<int64_t>(exact_.size()), k, indices.data(), values.data());
    return indices;
  }

  int64_t candidates() const { return candidates_; }

 private:
  std::vector<float> exact_, approximate_;
  std::vector<double> norms_;
  std::vector<float> bias_;
  int64_t candidates_ = 0;
};

// A row whose two best units swap places when their products are summed in plain order instead of the fixed one.
struct SwappedByRounding {
  static constexpr int64_t kWidth = 784;
  static constexpr int64_t kUnits = 50;
  std::vector<float> exact = std::vector<float>(kUnits), approximate = std::vector<float>(kUnits);
  double x_norm = 0;
  std::vector<double> norms = std::vector<double>(kUnits);

  SwappedByRounding() {
    Rng rng(1);
    std::vector<float> x(kWidth), first(kWidth);
    for (float& value : x) value = static_cast<float>(rng.Uniform());
    for (float& value : first) value = static_cast<float>(rng.Gaussian());
    x_norm = Norm(x);
    for (int64_t unit = 0; unit < kUnits; ++unit) {
      std::vector<float> atom = first;
      // The same elements but for last bits.
      for (int change = 0; change < 300; ++change) {
        float& value = atom[rng.UniformBelow(kWidth)];
        value = std::nextafter(value, rng.UniformBelow(2) ? 10.0f : -10.0f);
      }
      norms[unit] = Norm(atom);
      exact[unit] = FixedOrderDot(x.data(), atom.data(), kWidth);
      float sum = 0;
      for (int64_t d = 0; d < kWidth; ++d) sum += x[d] * atom[d];
      approximate[unit] = sum;
    }
  }

  static double Norm(const std::vector<float>& values) {
    double sum = 0;
    for (float value : values) sum += static_cast<double>(value) * value;
    return std::sqrt(sum);
  }
};

TEST(Candidates, TheMarginIsWhatMakesTheSupportExact) {
  const SwappedByRounding row;
  Scores scores(row.exact, row.approximate);
  for (int64_t unit = 0; unit < row.kUnits; ++unit) scores.SetNorm(unit, row.norms[unit] * row.x_norm);
  ScoreBound proven;
  SetErrorTerms(row.kWidth, &proven);
  EXPECT_EQ(scores.Choose(5, proven.error_factor), scores.Expected(5));
  // Without it, the units that the other order of summation prefers.
  EXPECT_NE(scores.Choose(5, 0), scores.Expected(5));
}

TEST(Candidates, AreExactlyTheUnitsWithinTheBound) {
  // The second best is 4; units at 2.1 and 2 are within 2 * 1 of it, units at 1.9 are not.
  Scores scores({1.9f, 5, 2.1f, 4, 2, 1.9f, -8}, {1.9f, 5, 2.1f, 4, 2, 1.9f, -8});
  EXPECT_THAT(scores.Choose(2, 1), ElementsAre(1, 3));
  EXPECT_EQ(scores.candidates(), 4);
  EXPECT_THAT(scores.Choose(2, 0), ElementsAre(1, 3));
  EXPECT_EQ(scores.candidates(), 2);
}

TEST(Candidates, ALongAtomWidensOnlyItsOwnMargin) {
  Scores scores({0, 5, 2, 4, 2, -90}, {0, 5, 2, 4, 2, -90});
  scores.SetNorm(5, 100);
  EXPECT_THAT(scores.Choose(2, 0.5), ElementsAre(1, 3));
  EXPECT_EQ(scores.candidates(), 2);
  EXPECT_THAT(scores.Choose(2, 1), ElementsAre(1, 3));
  EXPECT_EQ(scores.candidates(), 5);  // -90 + 100 could be above 4 - 1, and 2 + 1 could be 3
}

TEST(Candidates, AnyErrorWithinTheBoundIsMadeGood) {
  Rng rng(3);
  for (int trial = 0; trial < 300; ++trial) {
    const int64_t units = 1 + static_cast<int64_t>(rng.UniformBelow(120));
    const int64_t k = 1 + static_cast<int64_t>(rng.UniformBelow(units));
    std::vector<float> exact(units), approximate(units);
    for (int64_t unit = 0; unit < units; ++unit) {
      exact[unit] = static_cast<float>(std::round(rng.Gaussian() * 8) / 8);
      approximate[unit] = exact[unit] + static_cast<float>((rng.UniformBelow(3) - 1.0) * 0.25);
    }
    Scores scores(exact, approximate);
    EXPECT_EQ(scores.Choose(k, 0.25), scores.Expected(k));
  }
}

TEST(Candidates, OutliersDoNotDefeatTheSearch) {
  std::vector<float> exact(1000);
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = static_cast<float>(i * 7919 % 1000) * 1e-30f;
  exact[17] = 1e30f;
  exact[18] = -1e30f;
  Scores scores(exact, exact);
  for (int64_t k : {1, 2, 25, 999, 1000}) EXPECT_EQ(scores.Choose(k, 0), scores.Expected(k));
}

TEST(Candidates, OverflowIsForeseen) {
  ScoreBound bound;
  bound.x_norm = 0x1p60;
  bound.largest_norm = 0x1p60;
  EXPECT_TRUE(CannotOverflow(bound));
  bound.largest_norm = 0x1p70;
  EXPECT_FALSE(CannotOverflow(bound));
  bound.largest_norm = INFINITY;
  EXPECT_FALSE(CannotOverflow(bound));
  bound.x_norm = 0;  // 0 * infinity is no number
  EXPECT_FALSE(CannotOverflow(bound));
  bound.largest_norm = 1;
  bound.largest_bias = INFINITY;
  EXPECT_FALSE(CannotOverflow(bound));
}

}  // namespace
}  // namespace kwta
