#include "core/training/dead_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::dead_units_test {
namespace {

using testing::IsEmpty;
using testing::StartsWith;

TEST(DeadUnitsWarning, IsForMoreThanATenth) {
  EXPECT_THAT(DeadUnitsWarning(0, 64), IsEmpty());
  EXPECT_THAT(DeadUnitsWarning(10, 100), IsEmpty());
  EXPECT_THAT(DeadUnitsWarning(11, 100), StartsWith("11 of 100 units (11%) were in no code of the last epoch"));
  EXPECT_THAT(DeadUnitsWarning(0, 0), IsEmpty());
}

}  // namespace
}  // namespace kwta::dead_units_test
