// The search for winners against the reference's loops, with every instruction set.
#include "core/backends/onednn/winners/search/winner_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/backends/reference/winner_operations.h"
#include "tests/core/backends/conformance.h"

namespace kwta::onednn::winners::winner_search_test {
namespace {

struct Problem {
  Problem(const ImageBatch& images, int64_t maps, int64_t size, uint64_t seed = 1)
      : images(images),
        maps(maps),
        size(size),
        filters(Gaussians(maps * images.channels * size * size, seed, 0.3)),
        bias(Gaussians(maps, seed + 1, 0.3)),
        x(Gaussians(images.rows * images.elements(), seed + 2)) {}

  // Pixels k / 255, `zeros` of four of them zero.
  void MakeBytes(int zeros) {
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<int>(i * i % 7 % 4) < zeros ? 0 : std::round(std::min(1.0f, std::abs(x[i])) * 255) / 255;
    }
  }
  Convolution convolution() const { return {filters.data(), bias.data(), maps, size, images, x.data()}; }

  ImageBatch images;
  int64_t maps, size;
  std::vector<float> filters, bias, x;
};

// Which kernels, and whether columns are used where they can be.
struct Kernels {
  simd::InstructionSet set;
  bool columns;
};

class WinnerSearchTest : public testing::TestWithParam<Kernels> {
 protected:
  WinnerSearchTest() {
    if (!GetParam().columns) kernels_.columns = nullptr;
  }
  void ExpectExact(const Problem& p) {
    SCOPED_TRACE(testing::Message() << p.images.rows << " x " << p.images.channels << " x " << p.images.height << " x "
                                    << p.images.width << ", " << p.maps << " maps, size " << p.size);
    const int64_t entries = p.images.rows * p.maps;
    Codes expected{std::vector<int32_t>(entries), std::vector<float>(entries)};
    Codes actual{std::vector<int32_t>(entries, -7), std::vector<float>(entries, -7.0f)};
    ConvWinnersArgs args;
    args.filters = p.filters.data();
    args.bias = p.bias.data();
    args.maps = p.maps;
    args.size = p.size;
    args.images = p.images;
    args.x = p.x.data();
    args.units = expected.indices.data();
    args.values = expected.values.data();
    ReferenceConvWinners(args);
    ASSERT_TRUE(WinnerSearch::Suits(kernels_, p.convolution()));
    absl::StatusOr<WinnerSearch> search = Create(p);
    ASSERT_TRUE(search.ok()) << search.status();
    for (int64_t i = 0; i < p.images.rows; ++i) {
      const int thread = static_cast<int>(i % 2);
      ASSERT_TRUE(search->Load(p.x.data() + i * p.images.elements(), thread));
      search->FindWinners(0, search->blocks(), thread, actual.indices.data() + i * p.maps,
                          actual.values.data() + i * p.maps);
    }
    EXPECT_EQ(actual.indices, expected.indices);
    EXPECT_EQ(Bits(actual.values), Bits(expected.values));
  }
  bool Suits(const Problem& p) const { return WinnerSearch::Suits(kernels_, p.convolution()); }

  absl::StatusOr<WinnerSearch> Create(const Problem& p) {
    return WinnerSearch::Create(context_, kernels_, p.convolution());
  }

  SearchKernels kernels_{GetParam().set};
  support::Context context_{2, simd::InstructionSet::kPortable, support::Filter::kBytes};
};

TEST_P(WinnerSearchTest, MapsAroundTheWidthOfBlocks) {
  for (int64_t maps : {1, 3, 4, 5, 15, 16, 17, 32, 33, 48, 63, 64, 65, 79, 80, 81, 97, 113, 128, 129, 300}) {
    ExpectExact(Problem({2, 1, 7, 6}, maps, 3));
    Problem p({2, 1, 6, 7}, maps, 3);
    p.MakeBytes(2);
    ExpectExact(p);
  }
}

TEST_P(WinnerSearchTest, EverySizeOfFilterWithSignedPixels) {
  for (int64_t size = 1; size <= 8; ++size) {
    ExpectExact(Problem({2, 1, 9, 10}, 64, size));
    ExpectExact(Problem({1, size < 6 ? 3 : 1, 5, 4}, 70, size));
  }
}

TEST_P(WinnerSearchTest, SignedPixelsOfSeveralChannels) {
  // Rows of a filter fill groups with channels side by side: whole ones, with one byte left for stacks, or with more.
  for (int64_t channels = 2; channels <= 5; ++channels) {
    for (int64_t size : {1, 3, 5, 7, 8}) {
      for (int64_t maps : {9, 130}) {
        Problem p({2, channels, 6, 7}, maps, size);
        if (Suits(p)) ExpectExact(p);
      }
    }
  }
  EXPECT_TRUE(Suits(Problem({2, 3, 6, 7}, 130, 7)));
}

TEST_P(WinnerSearchTest, BytesWithFewAndManyZeros) {
  for (int zeros : {0, 1, 3, 4}) {
    for (int64_t size : {1, 3, 4, 5, 7, 8}) {
      Problem p({3, size < 6 ? 2 : 1, 10, 11}, 66, size);
      p.MakeBytes(zeros);
      std::fill_n(p.x.begin(), p.images.elements(), 0.0f);
      ExpectExact(p);
    }
  }
}

TEST_P(WinnerSearchTest, ImagesAroundTheSizeOfTilesAndVectors) {
  for (int64_t width : {2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 65}) {
    for (int64_t height : {1, 2, 3, 5}) {
      for (int64_t maps : {3, 130}) {
        ExpectExact(Problem({2, 1, height, width}, maps, 5));
        Problem p({2, 2, height, width}, maps, 4);
        p.MakeBytes(2);
        ExpectExact(p);
      }
    }
  }
}

TEST_P(WinnerSearchTest, BatchesThatBeginWithASignedImage) {
  // Such a batch is taken for dense: other images in it must be as exact.
  for (int64_t size = 1; size <= 8; ++size) {
    for (int64_t maps : {3, 33, 70}) {
      Problem p({4, size < 6 ? 3 : 1, 9, 11}, maps, size);
      for (int64_t i = 0; i < 99 * p.images.channels; ++i) {
        float* const pixel = p.x.data() + i;
        const int64_t image = 99 * p.images.channels;
        pixel[image] = std::round(std::min(1.0f, std::abs(pixel[image])) * 255) / 255;
        pixel[2 * image] = 0;
      }
      ExpectExact(p);
    }
  }
}

TEST_P(WinnerSearchTest, EachImageIsWhatItIs) {
  // One after the other in the same memory: bytes, bytes whose largest is not 255, other numbers, signed ones, black.
  Problem p({12, 1, 9, 10}, 20, 5);
  p.MakeBytes(1);
  for (int64_t i = 0; i < p.images.rows; ++i) {
    for (int64_t e = 0; e < 90; ++e) {
      float& pixel = p.x[i * 90 + e];
      if (i % 6 == 1) pixel = std::min(pixel, 0.5f);
      if (i % 6 == 2) pixel = std::abs(pixel * 3.1f);
      if (i % 6 == 3) pixel -= 0.5f;
      if (i % 6 == 4) pixel = 0;
    }
  }
  ExpectExact(p);
}

// Sums of 16 bits reach their limits where neighbouring weights have the same sign and pixels are the largest.
TEST_P(WinnerSearchTest, SumsOfTheLargestBytesDoNotSaturate) {
  for (const float smallest : {0.0f, -1.0f}) {  // one group of pixels in a sum, or several
    Problem p({2, 2, 8, 9}, 40, 5);
    for (size_t i = 0; i < p.x.size(); ++i) p.x[i] = i % 11 == 0 ? smallest : 1;
    for (int64_t map = 0; map < p.maps; ++map) {
      float* const filter = p.filters.data() + map * 50;
      const float sign = map % 2 == 0 ? 1.0f : -1.0f;
      for (int64_t e = 0; e < 50; ++e) {
        // From the map's number on alternating, so that the filter has a largest sum somewhere; or always rounded up.
        filter[e] = map < 30 ? (e <= 2 * map || e % 2 == 0 ? sign : -sign) : e == 0 ? sign : sign * 0.5039f;
      }
      p.bias[map] = 45;
    }
    ExpectExact(p);
  }
}

TEST_P(WinnerSearchTest, RowsOfAFilterThatReachBeyondTheImage) {
  // The last pixels of a row must not be taken for those of the next.
  Problem p({1, 1, 4, 16}, 2, 7);
  p.MakeBytes(0);
  ExpectExact(p);
  ExpectExact(Problem({1, 3, 4, 16}, 2, 7));
}

TEST_P(WinnerSearchTest, TiesGoToTheLowestPosition) {
  for (bool constant : {false, true}) {
    Problem p({3, 1, 9, 10}, 65, 3);
    for (float& value : p.x) value = constant ? 1 : std::abs(std::round(value));
    for (float& value : p.filters) value = std::round(value * 3);
    ExpectExact(p);
  }
}

TEST_P(WinnerSearchTest, NearTiesAreDecidedExactly) {
  // All positions see almost the same pixels: the bytes cannot tell them apart.
  Problem p({2, 1, 12, 12}, 64, 5);
  for (size_t i = 0; i < p.x.size(); ++i) p.x[i] = 1 + static_cast<float>(i * 37 % 11) * 0x1p-23f;
  ExpectExact(p);
  // A few large weights hide the others below their step.
  Problem q({2, 1, 12, 12}, 64, 5);
  for (size_t i = 0; i < q.filters.size(); ++i) q.filters[i] *= i % 25 == 0 ? 1000.0f : 1.0f;
  ExpectExact(q);
}

TEST_P(WinnerSearchTest, MapsWithoutPositiveActivity) {
  Problem p({2, 1, 8, 8}, 64, 3);
  p.MakeBytes(1);
  for (float& value : p.filters) value = -std::abs(value);
  for (int64_t m = 0; m < p.maps; ++m) p.bias[m] = m % 3 == 0 ? 0.0f : m % 3 == 1 ? -0.01f : 0.01f;
  ExpectExact(p);
}

TEST_P(WinnerSearchTest, NumbersOfAnyMagnitude) {
  for (float scale : {1e-42f, 1e-38f, 1e-15f, 1e14f}) {
    Problem p({2, 1, 8, 8}, 64, 5);
    for (float& value : p.x) value *= scale;
    ExpectExact(p);
    Problem q({2, 1, 8, 8}, 64, 5);
    q.MakeBytes(2);
    for (float& value : q.filters) value *= scale;
    ExpectExact(q);
  }
}

TEST_P(WinnerSearchTest, RefusesWhatItCannotBound) {
  const Problem good({1, 1, 8, 8}, 64, 5);
  EXPECT_TRUE(Suits(good));
  Problem p = good;
  p.filters[3] = 1e30f;
  EXPECT_FALSE(Suits(p));
  p.filters[3] = -std::numeric_limits<float>::infinity();
  EXPECT_FALSE(Suits(p));
  p = good;
  p.bias[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(Suits(p));
  EXPECT_FALSE(Suits(Problem({1, 1, 12, 12}, 64, 9)));
  EXPECT_FALSE(Suits(Problem({1, 1, 12, 1}, 64, 3)));
  EXPECT_FALSE(Suits(Problem({1, 256, 8, 8}, 64, 5)));
  p = good;
  p.x[3] = -1e30f;
  absl::StatusOr<WinnerSearch> search = Create(p);
  ASSERT_TRUE(search.ok()) << search.status();
  EXPECT_FALSE(search->Load(p.x.data(), 0));
}

TEST_P(WinnerSearchTest, FewMapsOnImagesOfEverySize) {
  for (int64_t size : {5, 6, 7}) {
    for (int64_t width : {2, 3, 8, 9, 28, 57, 65}) {
      for (int64_t height : {1, 2, 7, 28}) {
        for (int zeros : {0, 3}) {
          Problem p({2, 1, height, width}, zeros == 0 ? 16 : 15, size);
          p.MakeBytes(zeros);
          ExpectExact(p);
        }
      }
    }
    Problem tall({1, 1, 210, 2}, 3, size);
    tall.MakeBytes(2);
    ExpectExact(tall);
  }
}

TEST_P(WinnerSearchTest, OnePixelAnywhere) {
  for (int64_t size : {5, 7}) {
    Problem p({90, 1, 9, 10}, 16, size);
    std::fill(p.x.begin(), p.x.end(), 0.0f);
    for (int64_t i = 0; i < 90; ++i) p.x[i * 90 + i] = 1;
    ExpectExact(p);
    // And far from it another one.
    for (int64_t i = 0; i < 90; ++i) p.x[i * 90 + (i * 37 + 41) % 90] = 0.6f;
    ExpectExact(p);
  }
}

TEST_P(WinnerSearchTest, PositionsThatSeeNothingWin) {
  // Every pixel that a position sees takes something away: the lowest of those that see none wins, if there is one.
  for (int64_t size : {5, 7}) {
    Problem p({90, 1, 9, 10}, 7, size);
    std::fill(p.x.begin(), p.x.end(), 0.0f);
    for (int64_t i = 0; i < 90; ++i) std::fill_n(p.x.begin() + i * 90, i + 1, 0.5f);
    for (float& weight : p.filters) weight = -std::abs(weight) - 0.01f;
    for (float& bias : p.bias) bias = 0.25f + std::abs(bias);
    ExpectExact(p);
    // With the picture's lower end blank, or its left.
    for (int64_t i = 0; i < 90; ++i) std::reverse(p.x.begin() + i * 90, p.x.begin() + (i + 1) * 90);
    ExpectExact(p);
  }
}

TEST_P(WinnerSearchTest, TiesOfFewMapsGoToTheLowestPosition) {
  for (int64_t size : {5, 7}) {
    for (bool constant : {false, true}) {
      Problem p({3, 1, 19, 20}, 16, size);
      for (float& value : p.x) value = constant ? 1 : std::min(1.0f, std::abs(std::round(value)));
      for (float& value : p.filters) value = std::round(value * 3);
      ExpectExact(p);
    }
    // Almost the same everywhere.
    Problem p({2, 1, 22, 23}, 16, size);
    for (size_t i = 0; i < p.x.size(); ++i) p.x[i] = 1 - static_cast<float>(i * 37 % 11) * 0x1p-24f;
    ExpectExact(p);
  }
}

std::vector<Kernels> EveryKernels() {
  std::vector<Kernels> every;
  for (const simd::InstructionSet set : simd::AvailableInstructionSets()) {
    every.push_back({set, false});
    if (ColumnKernelsFor(set) != nullptr) every.push_back({set, true});
  }
  return every;
}

std::string KernelsName(const testing::TestParamInfo<Kernels>& info) {
  return std::string(simd::InstructionSetName(info.param.set)) + (info.param.columns ? "_columns" : "");
}

INSTANTIATE_TEST_SUITE_P(All, WinnerSearchTest, testing::ValuesIn(EveryKernels()), KernelsName);

}  // namespace
}  // namespace kwta::onednn::winners::winner_search_test
