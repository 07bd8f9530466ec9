#include "core/backends/onednn/codes/code_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/backends/reference/exact_top_k.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::code_finder_test {
namespace {

using testing::ElementsAre;

// Scores of which the approximate ones are off by an error of at most error[unit]. Atoms of one element and x = 1 make
// the exact scores what a test wants them to be.
struct Scores {
  explicit Scores(std::vector<float> exact_scores)
      : exact(std::move(exact_scores)), approximate(exact), error(exact.size(), 0.0f), bias(exact.size(), 0.0f) {}

  std::vector<float> exact, approximate, error, bias;
  double offset = 0;
};

struct Chosen {
  bool found = false;
  std::vector<int32_t> indices;
  std::vector<float> values;
  int64_t computed = 0;
};

Chosen Choose(const Scores& scores, int64_t k, simd::InstructionSet set = simd::AvailableInstructionSets().front(),
              int64_t max_candidates = std::numeric_limits<int64_t>::max(), CloserScores* closer = nullptr) {
  const int64_t units = static_cast<int64_t>(scores.exact.size());
  const Dictionary dictionary(scores.exact.data(), scores.bias.data(), units, 1);
  UnitBounds bounds;
  bounds.norm_factor.assign(units, 0);
  bounds.residual_factor.assign(units, 0);
  bounds.constant = scores.error;
  for (float error : scores.error) bounds.largest_constant = std::max(bounds.largest_constant, error);
  RowBound bound;
  bound.units = &bounds;
  bound.norm = 1;
  bound.offset = scores.offset;
  std::vector<float> padded(PaddedScores(units), -INFINITY);
  for (int64_t unit = 0; unit < units; ++unit) padded[unit] = scores.approximate[unit];
  ScoreList list;
  list.scores = padded.data();
  list.size = units;
  list.closer = closer;
  const float x = 1;
  Chosen chosen{false, std::vector<int32_t>(k, -1), std::vector<float>(k)};
  CodeFinder finder(set, dictionary);
  chosen.found =
      finder.Find(&x, list, bound, k, max_candidates, chosen.indices.data(), chosen.values.data()) == Outcome::kCode;
  chosen.computed = finder.exact_scores();
  return chosen;
}

Chosen Expected(const Scores& scores, int64_t k) {
  Chosen chosen{true, std::vector<int32_t>(k), std::vector<float>(k)};
  ExactTopK(scores.exact.data(), static_cast<int64_t>(scores.exact.size()), k, chosen.indices.data(),
            chosen.values.data());
  return chosen;
}

TEST(CodeFinder, AUnitOutsideTheBestByApproximationIsFoundIfTheBoundReachesTheFloor) {
  // By approximation unit 3 is the worst of the four; exactly it is the best.
  Scores scores({5, 4, 3, 6});
  scores.approximate = {5, 4, 3, 2.5f};
  scores.error = {0, 0, 0, 3.5f};
  EXPECT_THAT(Choose(scores, 2).indices, ElementsAre(0, 3));
  EXPECT_THAT(Choose(scores, 2).values, ElementsAre(5, 6));
  // 2.5 + 1.5 reaches 4, the second of the best; less does not.
  scores.error[3] = 1.5f;
  EXPECT_THAT(Choose(scores, 2).indices, ElementsAre(0, 3));
  scores.error[3] = 1.25f;
  EXPECT_THAT(Choose(scores, 2).indices, ElementsAre(0, 1));
}

TEST(CodeFinder, AListOfSomeUnitsInAnyOrderIsEnoughUnlessItsLimitIsAboveTheFloor) {
  const std::vector<float> exact = {7, 1, 5, 5, 0, 5};
  const std::vector<float> bias(exact.size());
  const Dictionary dictionary(exact.data(), bias.data(), static_cast<int64_t>(exact.size()), 1);
  UnitBounds bounds;
  bounds.norm_factor = bounds.residual_factor = bounds.constant = std::vector<float>(exact.size());
  RowBound bound;
  bound.units = &bounds;
  bound.norm = 1;
  const std::vector<int32_t> units = {5, 3, 0, 2};
  for (double limit : {5.0, 5.5}) {
    std::vector<float> padded(PaddedScores(4), -INFINITY);
    for (size_t i = 0; i < units.size(); ++i) padded[i] = exact[units[i]];
    ScoreList list;
    list.scores = padded.data();
    list.units = units.data();
    list.size = 4;
    list.limit = limit;
    const float x = 1;
    std::vector<int32_t> indices(2, -1);
    std::vector<float> values(2);
    CodeFinder finder(simd::AvailableInstructionSets().front(), dictionary);
    const Outcome outcome = finder.Find(&x, list, bound, 2, 10, indices.data(), values.data());
    EXPECT_EQ(outcome, limit == 5.0 ? Outcome::kCode : Outcome::kTooShort);
    // Three are tied for the second place.
    EXPECT_EQ(indices, limit == 5.0 ? std::vector<int32_t>({0, 2}) : std::vector<int32_t>({-1, -1}));
  }
}

TEST(CodeFinder, ComputesOnlyTheUnitsWhoseOwnBoundReachesTheFloor) {
  std::vector<float> exact(200);
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = -static_cast<float>(i);
  exact[0] = 100;
  exact[1] = 50;
  Scores scores(exact);
  scores.error.assign(exact.size(), 10);
  scores.error[199] = 249;  // reaches 50 exactly
  scores.error[198] = 247;
  const Chosen chosen = Choose(scores, 2);
  EXPECT_THAT(chosen.indices, ElementsAre(0, 1));
  // Besides the best, of which there may be one more than k.
  EXPECT_GE(chosen.computed, 3);
  EXPECT_LE(chosen.computed, 4);
}

// Keeps the positions of some units, and says what it was asked.
class KeepsSome final : public CloserScores {
 public:
  explicit KeepsSome(std::vector<int32_t> kept) : kept_(std::move(kept)) {}
  int64_t Keep(const ScoreList& list, double needed, int32_t* positions, int64_t count) override {
    needed_ = needed;
    asked_.assign(positions, positions + count);
    int64_t left = 0;
    for (const int32_t position : asked_) {
      positions[left] = position;
      left += std::count(kept_.begin(), kept_.end(), list.unit(position));
    }
    return left;
  }

  double needed_ = 0;
  std::vector<int32_t> asked_;

 private:
  const std::vector<int32_t> kept_;
};

TEST(CodeFinder, TheCloserApproximationDecidesWhichOfManyUnitsAreSummed) {
  Scores scores(std::vector<float>(100, 1.0f));
  scores.exact[0] = scores.approximate[0] = 10;
  scores.exact[1] = scores.approximate[1] = 9;
  for (size_t i = 50; i < 60; ++i) scores.error[i] = 20;
  scores.exact[53] = 12;
  KeepsSome closer({53, 57});
  const Chosen chosen = Choose(scores, 2, simd::AvailableInstructionSets().front(), 100, &closer);
  EXPECT_THAT(chosen.indices, ElementsAre(0, 53));
  EXPECT_EQ(closer.needed_, 9);
  EXPECT_THAT(closer.asked_, ElementsAre(50, 51, 52, 53, 54, 55, 56, 57, 58, 59));
  EXPECT_LE(chosen.computed, 3 + 2);
}

TEST(CodeFinder, TheOffsetIsPartOfTheApproximation) {
  Scores scores({105, 104, 103, 104.5f});
  scores.approximate = {5, 4, 3, 2.5f};
  scores.error.assign(4, 2);
  scores.offset = 100;
  EXPECT_THAT(Choose(scores, 2).indices, ElementsAre(0, 3));
}

TEST(CodeFinder, RefusesARowWithTooManyCandidates) {
  Scores scores(std::vector<float>(300, 1.0f));
  scores.error.assign(300, 1);
  EXPECT_FALSE(Choose(scores, 3, simd::AvailableInstructionSets().front(), 299).found);
  EXPECT_TRUE(Choose(scores, 3, simd::AvailableInstructionSets().front(), 300).found);
}

TEST(CodeFinder, TiesGoToTheLowestUnit) {
  Scores scores({1, 2, 1, 0, -0.0f, 2, 1, 0});
  EXPECT_THAT(Choose(scores, 1).indices, ElementsAre(1));
  EXPECT_THAT(Choose(scores, 3).indices, ElementsAre(0, 1, 5));
  EXPECT_THAT(Choose(scores, 6).indices, ElementsAre(0, 1, 2, 3, 5, 6));
  EXPECT_THAT(Choose(scores, 7).indices, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  // Ties of which approximation prefers the highest.
  scores.approximate[6] = 1.5f;
  scores.error.assign(8, 0.5f);
  EXPECT_THAT(Choose(scores, 3).indices, ElementsAre(0, 1, 5));
}

TEST(CodeFinder, AnyErrorWithinTheBoundIsMadeGoodOnEveryInstructionSet) {
  Rng rng(3);
  int wrong_without_bound = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const int64_t units = 1 + static_cast<int64_t>(rng.UniformBelow(trial % 2 ? 120 : 700));
    const int64_t k = 1 + static_cast<int64_t>(rng.UniformBelow(units));
    Scores scores{std::vector<float>(units)};
    for (int64_t unit = 0; unit < units; ++unit) {
      scores.exact[unit] = static_cast<float>(std::round(rng.Gaussian() * 8) / 8);
      scores.error[unit] = 0.125f * static_cast<float>(rng.UniformBelow(4));
      scores.approximate[unit] = scores.exact[unit] + (rng.UniformBelow(2) ? 1 : -1) * scores.error[unit];
    }
    const Chosen expected = Expected(scores, k);
    for (simd::InstructionSet set : simd::AvailableInstructionSets()) {
      const Chosen chosen = Choose(scores, k, set);
      EXPECT_EQ(chosen.indices, expected.indices);
      EXPECT_EQ(chosen.values, expected.values);
    }
    // The bound is what does it.
    for (float& error : scores.error) error *= 0.5f;
    wrong_without_bound += Choose(scores, k).indices != expected.indices;
  }
  EXPECT_GT(wrong_without_bound, 50);
}

TEST(CodeFinder, OutliersDoNotDefeatTheSearch) {
  std::vector<float> exact(1000);
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = static_cast<float>(i * 7919 % 1000) * 1e-30f;
  exact[17] = 1e30f;
  exact[18] = -1e30f;
  const Scores scores(exact);
  for (int64_t k : {1, 2, 25, 999, 1000}) EXPECT_EQ(Choose(scores, k).indices, Expected(scores, k).indices);
}

TEST(CodeFinder, OverflowIsForeseen) {
  EXPECT_TRUE(CannotOverflow(0x1p50, 0x1p60, 0));
  EXPECT_FALSE(CannotOverflow(0x1p60, 0x1p60, 0));
  EXPECT_FALSE(CannotOverflow(0x1p-20, 0x1p110, 0));
  EXPECT_FALSE(CannotOverflow(1, INFINITY, 0));
  EXPECT_FALSE(CannotOverflow(0, INFINITY, 0));
  EXPECT_FALSE(CannotOverflow(1, 1, INFINITY));
  EXPECT_FALSE(CannotOverflow(NAN, 1, 0));
}

}  // namespace
}  // namespace kwta::onednn::codes::code_finder_test
