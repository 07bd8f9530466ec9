#include "core/backends/onednn/winners/search/search_groups.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace kwta::onednn::winners::search_groups_test {
namespace {

TEST(SearchGroups, CountsOfPlainAndMixedGroups) {
  const auto count = [](int64_t channels, int64_t size, bool may_mix) {
    return SearchGroups(PaddedShape(channels, 9, 10, size), may_mix).count();
  };
  EXPECT_EQ(count(3, 7, false), 42);
  EXPECT_EQ(count(3, 7, true), 37);
  EXPECT_EQ(count(3, 5, true), 20);
  EXPECT_EQ(count(1, 5, true), 7);
  EXPECT_EQ(count(1, 7, true), 14);
  EXPECT_FALSE(SearchGroups(PaddedShape(2, 9, 10, 8), true).mixed());
}

// A filter with weight 1 at one element finds that element's pixel through its group.
TEST(SearchGroups, EveryElementMeetsItsPixel) {
  for (int64_t channels = 1; channels <= 5; ++channels) {
    for (int64_t size : {1, 3, 5, 7}) {
      const PaddedShape shape(channels, 6, 7, size);
      for (bool may_mix : {false, true}) {
        const SearchGroups groups(shape, may_mix);
        std::vector<uint8_t> bytes(channels * shape.plane() + kImageSlack), mixed(groups.MixedBytes());
        std::vector<uint32_t> stacks(groups.StackedPixels());
        for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 % 251);
        if (groups.mixed()) groups.Mix(bytes.data(), mixed.data(), stacks.data());
        TileScoreArgs args;
        groups.Describe(groups.mixed() ? mixed.data() : bytes.data(), stacks.data(), &args);
        for (int64_t element = 0; element < channels * size * size; ++element) {
          const int64_t row = element / size, dx = element % size;
          std::vector<int8_t> plain(shape.groups() * 4), weights(groups.count() * 4);
          plain[row * shape.groups_of_row() * 4 + dx] = 1;
          groups.Arrange(plain.data(), 4, weights.data());
          for (const int64_t patch : {int64_t{0}, int64_t{1}, 5 * shape.stride() + 6}) {
            int32_t sum = 0;
            for (int64_t g = 0; g < args.groups; ++g) {
              const bool in_row = g < args.row_groups;
              const uint8_t* const four = in_row ? args.bytes + patch * args.pixel_bytes : args.stacks + patch * 4;
              for (int b = 0; b < 4; ++b) {
                if (weights[g * 4 + b] != 0) sum += four[args.offsets[g] + b];
              }
            }
            EXPECT_EQ(sum, bytes[row / size * shape.plane() + patch + row % size * shape.stride() + dx])
                << channels << " channels, size " << size << ", element " << element << ", patch " << patch;
          }
        }
      }
    }
  }
}

TEST(SearchGroups, StepStartsUndoTheMiddleByte) {
  const SearchGroups groups(PaddedShape(3, 6, 7, 7), true);
  constexpr int64_t kLanes = 8;
  std::vector<int8_t> weights(groups.count() * kLanes * 4);
  std::iota(weights.begin(), weights.end(), int8_t{0});
  std::vector<uint16_t> starts(groups.steps() * kLanes * 2);
  groups.SetStepStarts(weights.data(), kLanes * 4, kLanes, starts.data());
  // Pixels that are all simd::kMiddleByte have sums of zero. The last step has the two stacks.
  for (int64_t step = 0, group = 0; step < groups.steps(); ++step) {
    const int64_t end = step + 1 == groups.steps() ? groups.count() : std::min<int64_t>(group + kStepGroups, 35);
    uint16_t sums[2] = {starts[step * kLanes * 2], starts[step * kLanes * 2 + 1]};
    for (; group < end; ++group) {
      for (int b = 0; b < 4; ++b) {
        sums[b / 2] = static_cast<uint16_t>(sums[b / 2] + simd::kMiddleByte * weights[group * kLanes * 4 + b]);
      }
    }
    EXPECT_EQ(sums[0], 0) << "step " << step;
    EXPECT_EQ(sums[1], 0) << "step " << step;
  }
}

TEST(SearchGroups, LargestSumsOfPairsAndSteps) {
  const SearchGroups groups(PaddedShape(1, 6, 7, 4), false);  // a row is a group
  const std::vector<float> filter = {1, 2, 3, -4, 0, 0, 5, 1, 0, 0, -2, 0, 9, -1, 0, 0};
  const simd::LargestSums largest = groups.FindLargestSums(filter.data());
  EXPECT_EQ(largest.pair, 9);
  EXPECT_EQ(largest.step, 15);  // |3| + |-4| + |5| + |1| + |-2|
}

}  // namespace
}  // namespace kwta::onednn::winners::search_groups_test
