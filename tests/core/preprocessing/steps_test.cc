// Each step against its formula, computed in another way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/preprocessing/resize.h"
#include "core/preprocessing/step.h"
#include "tests/core/io/io_test_util.h"
#include "tests/core/preprocessing/made_up_images.h"

namespace kwta::steps_test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::Pointwise;

// The only step of `spec`, which has nothing to fit, on rows of `shape`.
std::vector<float> Take(const std::string& spec, const Shape& shape, const std::vector<float>& x) {
  const v1::PreprocessingSpec resolved = ResolvedSpec("steps { " + spec + " }");
  const auto step = LoadStep(resolved.steps(0), "", shape, {}).value();
  const int64_t rows = static_cast<int64_t>(x.size()) / ElementCount(shape);
  std::vector<float> out(rows * ElementCount(PreprocessedShapes(resolved, shape).value().back()), NAN);
  step->Apply(x.data(), rows, out.data());
  return out;
}

TEST(GreyStep, WeighsTheColours) {
  EXPECT_THAT(Take("grey {}", {3, 1, 2}, {1, 0, 0, 1, 0, 0, /**/ 0, 1, 0, 1, 1, 1}),
              ElementsAre(FloatEq(0.299f), FloatEq(0.587f), FloatEq(0.114f), FloatEq(0.587f + 0.114f + 0.299f)));
}

TEST(CropStep, KeepsTheInnerPixels) {
  std::vector<float> x(2 * 2 * 4 * 5);
  std::iota(x.begin(), x.end(), 0.0f);
  // Of 4 x 5: from line 1 and column 1.
  EXPECT_THAT(Take("crop { height: 2 width: 2 }", {2, 4, 5}, x),
              ElementsAre(6, 7, 11, 12, 26, 27, 31, 32, 46, 47, 51, 52, 66, 67, 71, 72));
  EXPECT_EQ(Take("crop { height: 4 width: 5 }", {2, 4, 5}, x), x);
}

TEST(ScaleStep, Multiplies) {
  EXPECT_THAT(Take("scale { factor: -2 }", {1, 1, 3}, {1, 0.5f, -4}), ElementsAre(-2, -1, 8));
}

TEST(ResizeStep, KernelIsThatOfKeys) {
  EXPECT_EQ(CubicKernel(0, -0.5), 1);
  EXPECT_EQ(CubicKernel(1, -0.5), 0);
  EXPECT_EQ(CubicKernel(-2, -0.5), 0);
  EXPECT_EQ(CubicKernel(3, -0.5), 0);
  EXPECT_NEAR(CubicKernel(0.5, -0.5), 0.5625, 1e-12);    // 9/16
  EXPECT_NEAR(CubicKernel(-1.5, -0.5), -0.0625, 1e-12);  // -1/16
  EXPECT_NEAR(CubicKernel(1.5, -0.75), -0.09375, 1e-12);
}

// Resizing without separability and without tables: every pixel of the input with the product of two kernels.
float DirectlyResized(const std::vector<float>& x, int64_t in_height, int64_t in_width, int64_t height, int64_t width,
                      int64_t y, int64_t column) {
  const double step_y = double(in_height) / height, step_x = double(in_width) / width;
  const double spread_y = std::max(1.0, step_y), spread_x = std::max(1.0, step_x);
  double sum = 0, weights = 0;
  for (int64_t i = 0; i < in_height; ++i) {
    for (int64_t j = 0; j < in_width; ++j) {
      const double weight = CubicKernel((i + 0.5 - (y + 0.5) * step_y) / spread_y, -0.5) *
                            CubicKernel((j + 0.5 - (column + 0.5) * step_x) / spread_x, -0.5);
      weights += weight;
      sum += weight * x[i * in_width + j];
    }
  }
  return static_cast<float>(sum / weights);
}

TEST(ResizeStep, EqualsADirectComputation) {
  const struct {
    int64_t in_height, in_width, height, width;
  } kCases[] = {{8, 6, 4, 3}, {5, 7, 5, 7}, {4, 5, 9, 11}, {11, 3, 4, 8}, {1, 9, 3, 2}, {64, 2, 32, 1}};
  for (const auto& c : kCases) {
    const std::vector<float> x = GaussianRow(c.in_height * c.in_width, 1);
    const std::vector<float> resized =
        Take(absl::StrCat("resize { height: ", c.height, " width: ", c.width, " }"), {1, c.in_height, c.in_width}, x);
    for (int64_t i = 0; i < c.height; ++i) {
      for (int64_t j = 0; j < c.width; ++j) {
        EXPECT_NEAR(resized[i * c.width + j], DirectlyResized(x, c.in_height, c.in_width, c.height, c.width, i, j),
                    2e-6)
            << c.in_height << " x " << c.in_width << " at " << i << ", " << j;
      }
    }
  }
}

TEST(ResizeStep, HalvesALineAsAnyImageEditorDoes) {
  // A single bright pixel: the weights themselves. With a = -0.5 and the kernel twice as wide, at distances of 0.25,
  // 0.75, 1.25 and 1.75 half-pixels they are 111/128, 29/128, -9/128 and -3/128, and each output sees two of each.
  std::vector<float> x(16);
  x[8] = 256;
  const std::vector<float> halved = Take("resize { height: 1 width: 8 }", {1, 1, 16}, x);
  EXPECT_THAT(halved, Pointwise(FloatNear(1e-4f), {0.0f, 0.0f, -3.0f, 29.0f, 111.0f, -9.0f, 0.0f, 0.0f}));
}

TEST(ResizeStep, KeepsConstantsAndRamps) {
  EXPECT_THAT(Take("resize { height: 7 width: 3 }", {2, 4, 9}, std::vector<float>(72, 0.7f)), Each(FloatEq(0.7f)));
  std::vector<float> ramp(64 * 64);
  for (int64_t j = 0; j < 64 * 64; ++j) ramp[j] = static_cast<float>(3 * (j / 64) - 2 * (j % 64));
  const std::vector<float> half = Take("resize { height: 32 width: 32 }", {1, 64, 64}, ramp);
  for (int64_t y = 2; y < 30; ++y) {
    for (int64_t x = 2; x < 30; ++x) {
      EXPECT_NEAR(half[y * 32 + x], 3 * (2 * y + 0.5) - 2 * (2 * x + 0.5), 1e-4) << y << ", " << x;
    }
  }
}

TEST(ResizeStep, TakesChannelsAndRowsOneByOne) {
  const std::vector<float> x = GaussianRow(2 * 3 * 20, 2);
  const std::vector<float> all = Take("resize { height: 2 width: 3 }", {3, 4, 5}, x);
  for (int64_t plane = 0; plane < 6; ++plane) {
    const std::vector<float> one =
        Take("resize { height: 2 width: 3 }", {1, 4, 5}, {x.begin() + plane * 20, x.begin() + (plane + 1) * 20});
    EXPECT_EQ(one, std::vector<float>(all.begin() + plane * 6, all.begin() + (plane + 1) * 6));
  }
}

TEST(GlobalContrastStep, FollowsItsFormula) {
  const std::vector<float> x = GaussianRow(2 * 12, 3);
  const std::vector<float> by_sd = Take("global_contrast { constant: 0.3 }", {3, 2, 2}, x);
  const std::vector<float> by_length = Take("global_contrast { constant: 0.3 unit_length: true }", {3, 2, 2}, x);
  for (int64_t i = 0; i < 2; ++i) {
    double mean = 0, squares = 0;
    for (int64_t d = 0; d < 12; ++d) mean += x[i * 12 + d] / 12;
    for (int64_t d = 0; d < 12; ++d) squares += std::pow(x[i * 12 + d] - mean, 2);
    for (int64_t d = 0; d < 12; ++d) {
      EXPECT_NEAR(by_sd[i * 12 + d], (x[i * 12 + d] - mean) / std::sqrt(squares / 12 + 0.3), 1e-6);
      EXPECT_NEAR(by_length[i * 12 + d], (x[i * 12 + d] - mean) / std::sqrt(squares + 0.3), 1e-6);
    }
  }
}

TEST(GlobalContrastStep, LeavesFlatRowsAtZero) {
  EXPECT_THAT(Take("global_contrast {}", {1, 2, 2}, {0.1f, 0.1f, 0.1f, 0.1f}), Each(FloatNear(0, 1e-6f)));
}

// Local contrast with a two-dimensional window that is weighed out anew at every pixel.
std::vector<float> DirectLocalContrast(const std::vector<float>& x, int64_t channels, int64_t height, int64_t width,
                                       int64_t window, double constant) {
  const int64_t half = window / 2;
  const auto weighted = [&](const std::vector<double>& values, int64_t y, int64_t column) {
    double sum = 0, weights = 0;
    for (int64_t i = std::max<int64_t>(0, y - half); i <= std::min(height - 1, y + half); ++i) {
      for (int64_t j = std::max<int64_t>(0, column - half); j <= std::min(width - 1, column + half); ++j) {
        const double weight =
            std::exp(-0.5 * ((i - y) * (i - y) + (j - column) * (j - column)) * 36.0 / window / window);
        for (int64_t c = 0; c < channels; ++c) {
          sum += weight * values[(c * height + i) * width + j];
          weights += weight;
        }
      }
    }
    return sum / weights;
  };
  std::vector<double> v(x.begin(), x.end()), squares(x.size()), s(height * width);
  for (int64_t j = 0; j < channels * height * width; ++j) {
    const int64_t p = j % (height * width);
    v[j] = x[j] - weighted({x.begin(), x.end()}, p / width, p % width);
    squares[j] = v[j] * v[j];
  }
  double mean = 0;
  for (int64_t p = 0; p < height * width; ++p) {
    s[p] = std::sqrt(weighted(squares, p / width, p % width));
    mean += s[p] / static_cast<double>(height * width);
  }
  std::vector<float> out;
  for (int64_t j = 0; j < channels * height * width; ++j) {
    out.push_back(static_cast<float>(v[j] / std::max({s[j % (height * width)], mean, constant})));
  }
  return out;
}

TEST(LocalContrastStep, FollowsItsFormula) {
  const std::vector<float> x = GaussianRow(3 * 7 * 6, 4);
  EXPECT_THAT(Take("local_contrast { window: 5 constant: 0.01 }", {3, 7, 6}, x),
              Pointwise(FloatNear(1e-5f), DirectLocalContrast(x, 3, 7, 6, 5, 0.01)));
  EXPECT_THAT(Take("local_contrast { window: 5 constant: 0.9 }", {3, 7, 6}, x),
              Pointwise(FloatNear(1e-5f), DirectLocalContrast(x, 3, 7, 6, 5, 0.9)));
  // A window that is larger than the image.
  EXPECT_THAT(Take("local_contrast { window: 15 constant: 0.01 }", {3, 7, 6}, x),
              Pointwise(FloatNear(1e-5f), DirectLocalContrast(x, 3, 7, 6, 15, 0.01)));
}

TEST(LocalContrastStep, NormalisesEachChannelByItselfIfAskedTo) {
  const std::vector<float> x = GaussianRow(2 * 5 * 6, 5);
  const std::vector<float> both =
      Take("local_contrast { window: 3 across_channels: false constant: 0.01 }", {2, 5, 6}, x);
  for (int64_t c = 0; c < 2; ++c) {
    const std::vector<float> channel(x.begin() + c * 30, x.begin() + (c + 1) * 30);
    EXPECT_THAT(std::vector<float>(both.begin() + c * 30, both.begin() + (c + 1) * 30),
                Pointwise(FloatNear(1e-5f), DirectLocalContrast(channel, 1, 5, 6, 3, 0.01)));
  }
}

TEST(LocalContrastStep, LeavesFlatImagesAtZero) {
  EXPECT_THAT(Take("local_contrast {}", {1, 5, 5}, std::vector<float>(25, 0.3f)), Each(FloatNear(0, 1e-4f)));
}

}  // namespace
}  // namespace kwta::steps_test
