// ConvWinners (without its filter) and ConvPool of the oneDNN backend against the reference's loops, on every
// instruction set. The conformance suite has the cases that do not depend on the width of vectors.
#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "core/backends/onednn/winners/conv_pool.h"
#include "core/backends/onednn/winners/conv_winners.h"
#include "core/backends/reference/winner_operations.h"
#include "tests/core/backends/conformance.h"

namespace kwta::onednn::winners::convolution_test {
namespace {

struct Problem {
  Problem(const ImageBatch& images, int64_t maps, int64_t size, uint64_t seed = 1)
      : images(images),
        maps(maps),
        size(size),
        filters(Gaussians(maps * images.channels * size * size, seed, 0.3)),
        bias(Gaussians(maps, seed + 1, 0.3)),
        x(Gaussians(images.rows * images.elements(), seed + 2)) {}

  ImageBatch images;
  int64_t maps, size;
  std::vector<float> filters, bias, x;
};

std::ostream& operator<<(std::ostream& out, const Problem& p) {
  return out << p.images.rows << " x " << p.images.channels << " x " << p.images.height << " x " << p.images.width
             << ", " << p.maps << " maps, size " << p.size;
}

class OnednnConvolutionTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  // Winners and pooled maps have the bits of the reference's.
  void ExpectExact(const Problem& p, const Pooling& pooling = {3, 2, 1}) {
    SCOPED_TRACE(testing::Message() << p);
    ExpectExactWinners(p, WinnerScope::kEachMap, 1);
    ExpectExactWinners(p, WinnerScope::kEachMap, std::min<int64_t>(3, p.images.positions()));
    ExpectExactWinners(p, WinnerScope::kAcrossMaps, std::min<int64_t>(4, p.maps * p.images.positions()));

    const int64_t outputs = p.images.rows * p.maps * pooling.Extent(p.images.height) * pooling.Extent(p.images.width);
    std::vector<float> expected(outputs), actual(outputs, -7.0f);
    ConvPoolArgs args;
    args.filters = p.filters.data();
    args.bias = p.bias.data();
    args.maps = p.maps;
    args.size = p.size;
    args.images = p.images;
    args.x = p.x.data();
    args.pooling = pooling;
    args.output = expected.data();
    ReferenceConvPool(args);
    args.output = actual.data();
    ASSERT_EQ(ConvPool(context_, kernels_, args), absl::OkStatus());
    EXPECT_EQ(Bits(actual), Bits(expected));
  }

  void ExpectExactWinners(const Problem& p, WinnerScope scope, int64_t winners) {
    const int64_t entries = p.images.rows * winners * (scope == WinnerScope::kEachMap ? p.maps : 1);
    Codes expected{std::vector<int32_t>(entries), std::vector<float>(entries)};
    Codes actual{std::vector<int32_t>(entries, -7), std::vector<float>(entries, -7.0f)};
    ConvWinnersArgs args;
    args.filters = p.filters.data();
    args.bias = p.bias.data();
    args.maps = p.maps;
    args.size = p.size;
    args.images = p.images;
    args.x = p.x.data();
    args.scope = scope;
    args.winners = winners;
    args.units = expected.indices.data();
    args.values = expected.values.data();
    ReferenceConvWinners(args);
    args.units = actual.indices.data();
    args.values = actual.values.data();
    ASSERT_EQ(ExactConvWinners(context_, kernels_, args), absl::OkStatus());
    EXPECT_EQ(actual.indices, expected.indices);
    EXPECT_EQ(Bits(actual.values), Bits(expected.values));
  }

  support::Context context_{2, GetParam(), support::Filter::kFloats};
  const ConvolutionRowKernels& kernels_ = ConvolutionRowKernelsFor(GetParam());
};

TEST_P(OnednnConvolutionTest, MapsAroundTheWidthOfVectors) {
  for (int64_t maps : {1, 3, 4, 5, 8, 9, 15, 16, 17, 33, 64, 65}) ExpectExact(Problem({2, 1, 6, 5}, maps, 3));
}

TEST_P(OnednnConvolutionTest, EverySizeOfFilter) {
  for (int64_t size = 1; size <= 12; ++size) ExpectExact(Problem({2, 2, 12, 13}, 5, size));
  ExpectExact(Problem({1, 1, 5, 4}, 2, 33));
}

TEST_P(OnednnConvolutionTest, EveryWidthOfImage) {
  for (int64_t width = 1; width <= 20; ++width) ExpectExact(Problem({1, 1, 3, width}, 3, 3));
}

TEST_P(OnednnConvolutionTest, ZerosAreLeftOut) {
  for (int64_t every : {1, 2, 7, 30}) {
    Problem p({3, 2, 11, 14}, 18, 7);
    for (size_t i = 0; i < p.x.size(); ++i) p.x[i] = i % every == 0 ? p.x[i] : 0;
    std::fill_n(p.x.begin(), p.images.elements(), 0.0f);  // and one image is all zeros
    p.bias[0] = 0;
    p.bias[1] = -0.0f;
    ExpectExact(p);
  }
}

TEST_P(OnednnConvolutionTest, TiesAndRoundNumbers) {
  Problem p({4, 1, 9, 10}, 17, 3);
  for (float& value : p.x) value = std::round(value);
  for (float& value : p.filters) value = std::round(value * 3);
  for (float& value : p.bias) value = std::round(value * 3);
  ExpectExact(p);
}

TEST_P(OnednnConvolutionTest, NumbersAtTheEndsOfTheRange) {
  for (float scale : {1e-38f, 1e-42f, 1e38f}) {
    Problem p({2, 1, 8, 8}, 17, 5);
    for (float& value : p.x) value *= scale;
    ExpectExact(p);
  }
  Problem p({2, 1, 8, 8}, 3, 5);
  for (float special : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    p.filters[7] = special;
    p.x[20] = 0;
    ExpectExact(p);
  }
}

TEST_P(OnednnConvolutionTest, EveryPooling) {
  const Problem p({2, 1, 9, 10}, 6, 3);
  for (int64_t width = 1; width <= 5; ++width) {
    for (int64_t stride = 1; stride <= 6; ++stride) {
      for (int64_t padding = 0; padding < width; ++padding) ExpectExact(p, {width, stride, padding});
    }
  }
}

TEST_P(OnednnConvolutionTest, NoImages) { ExpectExact(Problem({0, 1, 8, 8}, 3, 5)); }

INSTANTIATE_TEST_SUITE_P(All, OnednnConvolutionTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::winners::convolution_test
