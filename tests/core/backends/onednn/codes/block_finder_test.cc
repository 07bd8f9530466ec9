#include "core/backends/onednn/codes/block_finder.h"

#include <algorithm>
#include <vector>

#include "core/backends/host_backend.h"
#include "core/base/cpu.h"
#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::block_finder_test {
namespace {

std::vector<float> Gaussians(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

// Approximate scores of some rows, all off by less than their bound.
class BlockFinderTest : public testing::Test {
 protected:
  static constexpr int64_t kRows = 11, kK = 9;
  // Several panels, the last one not whole.
  const int64_t width_ = 400;
  const int64_t units_ = CoreCacheBytes() / (width_ * 4) + 37;
  const int64_t padded_ = PaddedScores(units_);
  const std::vector<float> x_ = Gaussians(kRows * width_, 1);
  const std::vector<float> atoms_ = Gaussians(units_ * width_, 2), bias_ = Gaussians(units_, 3);
  const Dictionary dictionary_{atoms_.data(), bias_.data(), units_, width_};
  support::Context context_{1, simd::AvailableInstructionSets().front(), support::Filter::kBytes};
  UnitBounds bounds_;

  void SetUp() override {
    bounds_.norm_factor.assign(static_cast<size_t>(units_), 0);
    bounds_.residual_factor = bounds_.norm_factor;
    bounds_.constant.assign(static_cast<size_t>(units_), 2.0f);
    bounds_.largest_constant = 2;
  }

  RowBound Bound() const {
    RowBound bound;
    bound.units = &bounds_;
    bound.norm = 1;
    return bound;
  }

  // [kRows, padded_]
  std::vector<float> Approximate() const {
    std::vector<float> scores(static_cast<size_t>(kRows * padded_), -INFINITY);
    const std::vector<float> error = Gaussians(kRows * units_, 4);
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t unit = 0; unit < units_; ++unit) {
        scores[i * padded_ + unit] =
            simd::FixedOrderDot(x_.data() + i * width_, atoms_.data() + unit * width_, width_) + bias_[unit] +
            std::clamp(error[i * units_ + unit], -1.9f, 1.9f);
      }
    }
    return scores;
  }

  ScoreList ListOf(std::vector<float>& scores, int64_t i) const {
    ScoreList list;
    list.scores = scores.data() + i * padded_;
    list.size = units_;
    return list;
  }
};

TEST_F(BlockFinderTest, FindsTheCodesOfRowsOnTheirOwn) {
  std::vector<int32_t> indices(kRows * kK, -1), expected(kRows * kK, -1);
  std::vector<float> values(kRows * kK), expected_values(kRows * kK);
  std::vector<float> scores = Approximate();
  CodeFinder finder(context_.instruction_set, dictionary_);
  for (int64_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(finder.Find(x_.data() + i * width_, ListOf(scores, i), Bound(), kK, units_, expected.data() + i * kK,
                          expected_values.data() + i * kK),
              Outcome::kCode);
  }

  scores = Approximate();
  support::Arena counts(nullptr);
  BlockFinder::Memory(kRows, units_, counts);
  const Buffer buffer = *AllocateHostZeroed(static_cast<size_t>(counts.bytes()));
  support::Arena arena(const_cast<char*>(buffer.as<char>()));
  const BlockFinder::Memory memory(kRows, units_, arena);
  BlockFinder together(context_, dictionary_, kK, units_, memory);
  // A row is missing, as one whose scores could overflow is.
  for (int64_t i = 0; i < kRows; ++i) {
    if (i != 4) together.Add(i, x_.data() + i * width_, ListOf(scores, i), Bound());
  }
  std::vector<int64_t> done;
  together.Encode([&](int64_t i) { return indices.data() + i * kK; }, [&](int64_t i) { return values.data() + i * kK; },
                  [&](int64_t i, Outcome outcome) {
                    EXPECT_EQ(outcome, Outcome::kCode);
                    done.push_back(i);
                  });
  EXPECT_EQ(done, std::vector<int64_t>({0, 1, 2, 3, 5, 6, 7, 8, 9, 10}));
  std::fill_n(expected.begin() + 4 * kK, kK, -1);
  std::fill_n(expected_values.begin() + 4 * kK, kK, 0.0f);
  EXPECT_EQ(indices, expected);
  EXPECT_EQ(values, expected_values);
}

TEST_F(BlockFinderTest, LeavesARowThatNeedsTooManyExactScores) {
  std::vector<float> scores = Approximate();
  // Of row 1 all units are within the bound.
  std::fill_n(scores.begin() + padded_, units_, 1.0f);
  constexpr int64_t kMost = 300;
  support::Arena counts(nullptr);
  BlockFinder::Memory(kRows, kMost, counts);
  const Buffer buffer = *AllocateHostZeroed(static_cast<size_t>(counts.bytes()));
  support::Arena arena(const_cast<char*>(buffer.as<char>()));
  const BlockFinder::Memory memory(kRows, kMost, arena);
  BlockFinder together(context_, dictionary_, kK, kMost, memory);
  for (int64_t i = 0; i < 3; ++i) together.Add(i, x_.data() + i * width_, ListOf(scores, i), Bound());
  std::vector<int32_t> indices(3 * kK);
  std::vector<float> values(3 * kK);
  std::vector<Outcome> outcomes;
  together.Encode([&](int64_t i) { return indices.data() + i * kK; }, [&](int64_t i) { return values.data() + i * kK; },
                  [&](int64_t, Outcome outcome) { outcomes.push_back(outcome); });
  EXPECT_EQ(outcomes, std::vector<Outcome>({Outcome::kCode, Outcome::kTooMany, Outcome::kCode}));
}

TEST_F(BlockFinderTest, SuitsLargeDictionariesWhoseAtomsRowsShare) {
  constexpr int64_t kCache = 512 << 10;
  EXPECT_TRUE(BlockFinder::Suits(kCache, 1000, 784, 64, 75));
  EXPECT_FALSE(BlockFinder::Suits(kCache, 1000, 784, 16, 75));
  EXPECT_FALSE(BlockFinder::Suits(4 * kCache, 600, 784, 64, 75));
}

}  // namespace
}  // namespace kwta::onednn::codes::block_finder_test
