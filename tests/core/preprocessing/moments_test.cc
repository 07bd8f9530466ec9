#include "core/preprocessing/moments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace kwta {
namespace {

using testing::ElementsAre;

TEST(Moments, OfAFewRows) {
  Moments moments(2);
  const float x[] = {1, 10, 2, 10, 6, 40};
  moments.Add(x, 3);
  EXPECT_EQ(moments.rows(), 3);
  EXPECT_THAT(RoundedMean(moments), ElementsAre(3, 20));
  EXPECT_NEAR(moments.SquaredDeviation(), 4 + 1 + 9 + 100 + 100 + 400, 1e-9);
}

TEST(Moments, KeepTheSpreadOfDataFarFromZero) {
  // Sums of squares would cancel here: the mean is 2^23 times the spread.
  Moments moments(1);
  for (int i = 0; i < 1000; ++i) {
    const float x = 8388608.0f + static_cast<float>(i % 2);
    moments.Add(&x, 1);
  }
  EXPECT_NEAR(moments.SquaredDeviation(), 250.0, 1e-6);
}

TEST(Moments, MeasuredOverADatasetFollowItsOrderAndPreprocessing) {
  auto storage = std::make_shared<Tensor>(DType::kU8, Shape{3, 2});
  const uint8_t bytes[] = {0, 51, 255, 255, 102, 0};
  std::copy(bytes, bytes + 6, storage->as<uint8_t>());
  const Dataset data(storage, storage->rows(), {2}, {0, 2}, {});  // not the second row
  v1::PreprocessingSpec spec;
  ASSERT_TRUE(ResolvePreprocessing(&spec).ok());
  const Moments moments = MeasureMoments(data, Preprocessor(spec, {}));
  EXPECT_EQ(moments.rows(), 2);
  EXPECT_NEAR(moments.mean()[0], 0.2, 1e-7);
  EXPECT_NEAR(moments.mean()[1], 0.1, 1e-7);
  EXPECT_NEAR(moments.SquaredDeviation(), 2 * 0.04 + 2 * 0.01, 1e-7);
}

}  // namespace
}  // namespace kwta
