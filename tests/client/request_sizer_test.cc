#include "client/request_sizer.h"

#include <gmock/gmock.h>

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLimit = 100'000;

RequestSizer Make(int64_t rows_per_request, int64_t row_bytes, int64_t answer_row_bytes, bool dense = false) {
  auto sizer = RequestSizer::Create(kLimit, rows_per_request, row_bytes, answer_row_bytes, dense);
  EXPECT_TRUE(sizer.ok()) << sizer.status();
  return *std::move(sizer);
}

TEST(RequestSizer, TakesTheRowsAskedForWhileTheyFit) {
  const RequestSizer sizer = Make(50, 784, 200);
  EXPECT_EQ(sizer.Next(1000), 50);
  EXPECT_EQ(sizer.Next(7), 7);
}

TEST(RequestSizer, KeepsRequestsBelowTheLimit) {
  const int64_t rows = Make(5000, 784, 200).Next(5000);
  EXPECT_LT(rows * 784, kLimit);
  EXPECT_GT((rows + 10) * 784, kLimit);
}

TEST(RequestSizer, KeepsAnswersBelowTheLimit) {
  const int64_t rows = Make(5000, 10, 3200).Next(5000);
  EXPECT_LT(rows * 3200, kLimit);
  EXPECT_GT((rows + 3) * 3200, kLimit);
}

TEST(RequestSizer, BeginsSmallWhenDenseAnswersMayBeLargeAndLearns) {
  RequestSizer sizer = Make(512, 10, 0, /*dense=*/true);
  EXPECT_LE(sizer.Next(512), 8);
  sizer.Learn(8, 8 * 4000);
  EXPECT_LT(sizer.Next(512) * 4000, kLimit);
  EXPECT_GT(sizer.Next(512), 8);
  sizer.Learn(8, 8);
  EXPECT_EQ(sizer.Next(512), 512);
}

TEST(RequestSizer, SendsAtLeastOneRow) {
  RequestSizer sizer = Make(512, 10, 0);
  sizer.Learn(1, 10 * kLimit);
  EXPECT_EQ(sizer.Next(3), 1);
}

TEST(RequestSizer, RefusesRowsThatCannotFit) {
  const auto sizer = RequestSizer::Create(kLimit, 512, kLimit, 0, false);
  EXPECT_EQ(sizer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(sizer.status().message()), HasSubstr("raise max_message_bytes"));
}

TEST(RequestSizer, RefusesRequestsOfNoRows) {
  const auto sizer = RequestSizer::Create(kLimit, 0, 10, 0, false);
  EXPECT_EQ(sizer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(sizer.status().message()), HasSubstr("rows_per_request is 0"));
}

TEST(KnownCodeBytes, IsKnownWhenKIs) {
  v1::EncodeOptions options;
  EXPECT_EQ(KnownCodeBytes(options), 0);
  options.set_k(75);
  EXPECT_EQ(KnownCodeBytes(options), 600);
  options.set_output(v1::OUTPUT_MODE_SPARSE_CSR);
  EXPECT_EQ(KnownCodeBytes(options), 608);
  options.set_output(v1::OUTPUT_MODE_DENSE);
  EXPECT_EQ(KnownCodeBytes(options), 0);
}

}  // namespace
}  // namespace kwta::client
