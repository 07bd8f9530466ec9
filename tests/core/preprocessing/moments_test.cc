#include "core/preprocessing/moments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::moments_test {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(Moments, OfAFewRows) {
  Moments moments(2);
  const float x[] = {1, 10, 2, 10, 6, 40};
  moments.Add(x, 3);
  EXPECT_EQ(moments.rows(), 3);
  EXPECT_THAT(RoundedMean(moments), ElementsAre(3, 20));
  EXPECT_THAT(moments.Variance(), ElementsAre(DoubleNear(14 / 3.0, 1e-9), DoubleNear(200, 1e-9)));
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

}  // namespace
}  // namespace kwta::moments_test
