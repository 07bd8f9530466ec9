#include "core/base/checked_math.h"

#include <limits>

#include "gtest/gtest.h"

namespace kwta {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(CheckedMath, GivesWhatFits) {
  EXPECT_EQ(CheckedMultiply(uint64_t{1} << 32, (uint64_t{1} << 32) - 1), kMax - ((uint64_t{1} << 32) - 1));
  EXPECT_EQ(CheckedMultiply(kMax, 1), kMax);
  EXPECT_EQ(CheckedMultiply(kMax, 0), 0u);
  EXPECT_EQ(CheckedAdd(kMax - 5, 5), kMax);
}

TEST(CheckedMath, GivesNothingForWhatDoesNot) {
  EXPECT_EQ(CheckedMultiply(uint64_t{1} << 32, uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(CheckedMultiply(kMax, 2), std::nullopt);
  EXPECT_EQ(CheckedAdd(kMax - 5, 6), std::nullopt);
}

}  // namespace
}  // namespace kwta
