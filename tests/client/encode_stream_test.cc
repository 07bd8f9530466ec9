#include <gmock/gmock.h>

#include "client/client.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_up_rows.h"

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

EncodeSettings SmallRequests() {
  EncodeSettings settings;
  settings.rows_per_request = 3;
  return settings;
}

// Checks each piece and that the pieces follow each other without gaps.
class Receiver {
 public:
  absl::Status operator()(int64_t first_row, const EncodeResult& codes) {
    EXPECT_EQ(first_row, rows_);
    ExpectMadeUpCodes(codes, first_row, codes.rows(), FakeServer::kDefaultK);
    rows_ += codes.rows();
    ++pieces_;
    return absl::OkStatus();
  }
  int64_t rows() const { return rows_; }
  int pieces() const { return pieces_; }

 private:
  int64_t rows_ = 0;
  int pieces_ = 0;
};

class EncodeStreamModes : public testing::TestWithParam<v1::OutputMode> {};

TEST_P(EncodeStreamModes, DeliversEveryRowInOrder) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(100);
  EncodeSettings settings = SmallRequests();
  settings.options.set_output(GetParam());
  Receiver receiver;
  ASSERT_EQ(client.EncodeStream("digits", RowSource::Of(rows.rows()), settings, std::ref(receiver)), absl::OkStatus());
  EXPECT_EQ(receiver.rows(), 100);
  EXPECT_EQ(receiver.pieces(), 34);
}

INSTANTIATE_TEST_SUITE_P(Modes, EncodeStreamModes,
                         testing::Values(v1::OUTPUT_MODE_SPARSE_TOPK, v1::OUTPUT_MODE_SPARSE_CSR,
                                         v1::OUTPUT_MODE_DENSE));

TEST(EncodeStream, StaysWithTheVersionThatAnsweredFirst) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(30);
  Receiver receiver;
  ASSERT_EQ(client.EncodeStream("digits", RowSource::Of(rows.rows()), SmallRequests(), std::ref(receiver)),
            absl::OkStatus());
  const auto requests = server.encode_requests();
  EXPECT_EQ(requests[0].version(), 0u);
  for (size_t i = 1; i < requests.size(); ++i) EXPECT_EQ(requests[i].version(), 7u) << i;
}

TEST(EncodeStream, GoesOnAfterBreaksWithoutRepeatingRows) {
  FakeServer server;
  server.BreakStreamsAfter(4);
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(100);
  Receiver receiver;
  ASSERT_EQ(client.EncodeStream("digits", RowSource::Of(rows.rows()), SmallRequests(), std::ref(receiver)),
            absl::OkStatus());
  EXPECT_EQ(receiver.rows(), 100);
  EXPECT_GE(server.calls(), 9);
}

TEST(EncodeStream, GivesUpWhenNothingGetsThrough) {
  FakeServer server;
  server.FailNext(std::vector<absl::Status>(20, absl::UnavailableError("draining")));
  Options options = QuickOptions(server.address());
  options.retry.attempts = 3;
  Client client(options);
  const Tensor rows = MadeUpRows(10);
  Receiver receiver;
  const absl::Status status =
      client.EncodeStream("digits", RowSource::Of(rows.rows()), SmallRequests(), std::ref(receiver));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "draining");
  EXPECT_TRUE(IsNotReached(status));
  EXPECT_EQ(server.calls(), 3);
}

TEST(EncodeStream, ReturnsTheErrorOfARequest) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(10);
  Receiver receiver;
  EXPECT_EQ(client.EncodeStream("unknown", RowSource::Of(rows.rows()), SmallRequests(), std::ref(receiver)),
            absl::NotFoundError("no model 'unknown'"));
  EXPECT_EQ(receiver.rows(), 0);
}

TEST(EncodeStream, ReturnsTheReceiversErrorWithoutTryingAgain) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(10);
  EXPECT_EQ(client.EncodeStream("digits", RowSource::Of(rows.rows()), SmallRequests(),
                                [](int64_t, const EncodeResult&) { return absl::UnavailableError("disk full"); }),
            absl::UnavailableError("disk full"));
  EXPECT_EQ(server.calls(), 1);
}

TEST(EncodeStream, DoesNotWaitForEverForAServerThatStalls) {
  FakeServer server;
  server.Hang();
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(10);
  EncodeSettings settings = SmallRequests();
  settings.deadline = absl::Milliseconds(50);
  Receiver receiver;
  const absl::Status status = client.EncodeStream("digits", RowSource::Of(rows.rows()), settings, std::ref(receiver));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no answer from the server for 50ms"));
}

TEST(EncodeStream, KeepsRequestsInFlightBounded) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(60);
  EncodeSettings settings = SmallRequests();
  settings.version = 7;
  settings.max_in_flight = 2;
  int64_t answered = 0, furthest_ahead = 0;
  const RowSource source{60, 4, DType::kU8, [&](int64_t begin, int64_t count) {
                           furthest_ahead = std::max(furthest_ahead, begin + count - answered);
                           return rows.rows().Slice(begin, count);
                         }};
  ASSERT_EQ(client.EncodeStream("digits", source, settings,
                                [&](int64_t, const EncodeResult& codes) {
                                  answered += codes.rows();
                                  return absl::OkStatus();
                                }),
            absl::OkStatus());
  EXPECT_EQ(answered, 60);
  EXPECT_LE(furthest_ahead, 6);
}

TEST(EncodeStream, RefusesNoRows) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const absl::Status status =
      client.EncodeStream("digits", RowSource{}, {}, [](int64_t, const EncodeResult&) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no rows"));
}

}  // namespace
}  // namespace kwta::client
