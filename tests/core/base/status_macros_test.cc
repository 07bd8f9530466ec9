#include "core/base/status_macros.h"

#include <memory>

#include "gtest/gtest.h"

namespace kwta {
namespace {

absl::StatusOr<std::unique_ptr<int>> Positive(int value) {
  if (value <= 0) return absl::OutOfRangeError("not positive");
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Sum(int a, int b) {
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Positive(a));
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<int> second, Positive(b));
  return *first + *second;
}

absl::Status Check(const absl::Status& status, bool* reached_end) {
  KWTA_RETURN_IF_ERROR(status);
  *reached_end = true;
  return absl::OkStatus();
}

TEST(StatusMacros, AssignsOrReturnsTheError) {
  EXPECT_EQ(Sum(2, 3).value(), 5);
  EXPECT_EQ(Sum(2, 0).status(), absl::OutOfRangeError("not positive"));
}

TEST(StatusMacros, ReturnsOnlyErrors) {
  bool reached_end = false;
  EXPECT_EQ(Check(absl::DataLossError("gone"), &reached_end), absl::DataLossError("gone"));
  EXPECT_FALSE(reached_end);
  EXPECT_EQ(Check(absl::OkStatus(), &reached_end), absl::OkStatus());
  EXPECT_TRUE(reached_end);
}

}  // namespace
}  // namespace kwta
