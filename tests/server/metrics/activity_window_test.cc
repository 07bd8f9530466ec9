#include "server/metrics/activity_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "tests/server/metrics/codes.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;

TEST(ActivityWindowTest, CountsUnitsInTumblingWindows) {
  ActivityWindow window(10, 4);
  EXPECT_FALSE(window.Add(TwoActive(3, 10)));
  EXPECT_DOUBLE_EQ(window.latest().active_fraction(), 0.2);
  EXPECT_DOUBLE_EQ(window.latest().l0(), 2);
  EXPECT_EQ(window.complete().rows, 0) << "no window is complete";
  EXPECT_TRUE(window.Add(TwoActive(1, 10)));
  EXPECT_EQ(window.complete().dead_units(), 8);
  EXPECT_EQ(window.complete().rows, 4);
  EXPECT_THAT(window.complete().active_in, ElementsAre(4, 4, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(&window.latest(), &window.complete()) << "the next window has no rows";
  SparseCodes none;
  none.units = 10;
  none.row_offsets = {0, 0, 0, 0, 0};
  EXPECT_TRUE(window.Add(none));
  EXPECT_EQ(window.complete().dead_units(), 10) << "the first window must be forgotten";
  EXPECT_DOUBLE_EQ(window.latest().active_fraction(), 0);
}

TEST(ActivityWindowTest, CountsTheNonzerosOfDenseCodes) {
  ActivityWindow window(4, 10);
  Tensor codes(DType::kF32, {10, 4});
  for (int64_t row = 0; row < 10; ++row) codes.as<float>()[row * 4 + row % 3] = -0.5f;
  EXPECT_TRUE(window.Add(std::move(codes)));
  EXPECT_THAT(window.complete().active_in, ElementsAre(4, 3, 3, 0));
  EXPECT_DOUBLE_EQ(window.complete().l0(), 1);
  EXPECT_EQ(window.complete().dead_units(), 1);
}

TEST(ActivityWindowTest, DenseCodesMayHaveAThreshold) {
  ActivityWindow window(3, 2, 0.1f);
  Tensor codes(DType::kF32, {2, 3});
  const float values[] = {0.1f, 0.11f, 0.9f, 0.05f, -0.5f, 0.2f};
  std::copy(std::begin(values), std::end(values), codes.as<float>());
  EXPECT_TRUE(window.Add(std::move(codes)));
  EXPECT_THAT(window.complete().active_in, ElementsAre(0, 2, 2));
  EXPECT_DOUBLE_EQ(window.complete().l0(), 2);
  EXPECT_EQ(window.complete().dead_units(), 1);
}

}  // namespace
}  // namespace kwta::server
