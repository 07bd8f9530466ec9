// The load generator against a server in this process.
#include "client/load/load.h"

#include <gmock/gmock.h>

#include "tests/client/fake_server.h"
#include "tests/client/made_up_rows.h"

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

LoadOptions Short() {
  LoadOptions options;
  options.warm_up = absl::ZeroDuration();
  options.duration = absl::Milliseconds(200);
  options.outstanding = 8;
  return options;
}

absl::StatusOr<LoadReport> Load(const FakeServer& server, const LoadOptions& options) {
  const Tensor rows = MadeUpRows(16, 4);
  return GenerateLoad(QuickOptions(server.address()), "m", rows.rows(), {}, options);
}

TEST(Load, AClosedLoopCountsWhatIsAnswered) {
  FakeServer server;
  LoadOptions options = Short();
  options.rows_per_call = 2;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->ok(), 0);
  EXPECT_EQ(report->due, report->ok());
  EXPECT_EQ(report->accepted.count(), report->ok());
  EXPECT_GE(static_cast<int64_t>(server.encode_requests().size()), report->ok());
  EXPECT_EQ(server.encode_requests().front().input().shape(0), 2);
}

TEST(Load, EmptyCallsHoldNoRows) {
  FakeServer server;
  LoadOptions options = Short();
  options.empty = true;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->due, 0);
  EXPECT_EQ(server.encode_requests().front().ByteSizeLong(), 0u);
  options.stream = true;
  EXPECT_EQ(Load(server, options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Load, AnOpenLoopMakesTheCallsThatAreDue) {
  FakeServer server;
  LoadOptions options = Short();
  options.rate = 500;
  options.outstanding = 1000;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->due, 100);
  EXPECT_EQ(report->not_made, 0);
  EXPECT_EQ(report->ok(), 100);
}

TEST(Load, CallsThatAreDueWhileTooManyWaitAreCounted) {
  FakeServer server;
  server.Hang();
  LoadOptions options = Short();
  options.rate = 500;
  options.outstanding = 10;
  options.deadline = absl::Milliseconds(400);  // of calls that hang, longer than the load lasts
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->due, 100);
  EXPECT_EQ(report->not_made, 90);
  EXPECT_EQ(report->answers.at(absl::StatusCode::kDeadlineExceeded), 10);
  EXPECT_EQ(report->ok(), 0);
}

TEST(Load, RefusalsAreToldApart) {
  FakeServer server;
  server.FailNext({absl::ResourceExhaustedError("the queue is full")});
  const auto report = Load(server, Short());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->answers.at(absl::StatusCode::kResourceExhausted), 1);
  EXPECT_EQ(report->refused.count(), 1);
  EXPECT_EQ(report->first_error, "the queue is full");
  EXPECT_EQ(report->accepted.count(), report->ok());
  EXPECT_EQ(report->faulty(), 0);
}

TEST(Load, FaultsOfCallsAreToldFromOverload) {
  FakeServer server;
  server.FailNext({absl::NotFoundError("no model"), absl::UnavailableError("it drains"), absl::InternalError("a fault"),
                   absl::ResourceExhaustedError("the queue is full"), absl::CancelledError("it is gone")});
  const auto report = Load(server, Short());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->faulty(), 2);
  EXPECT_GT(report->ok(), 0);
}

TEST(Load, RepeatsCallsThatFindTheServerUnavailable) {
  FakeServer server;
  // A server cancels the calls that reach it in its last moment.
  server.FailNext({absl::UnavailableError("it drains"), absl::CancelledError("it is gone")});
  LoadOptions options = Short();
  options.rate = 500;
  options.outstanding = 1000;
  options.repeat = true;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ok(), 100);
  EXPECT_EQ(report->repeated, 2);
  EXPECT_EQ(report->first_error, "");
}

TEST(Load, RepeatsNoCallForEver) {
  FakeServer server;
  server.FailNext(std::vector<absl::Status>(100'000, absl::UnavailableError("it drains")));
  LoadOptions options = Short();
  options.rate = 500;
  options.outstanding = 1000;
  options.repeat = true;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->answers.at(absl::StatusCode::kUnavailable), 100);
  EXPECT_EQ(report->repeated, 100 * (QuickOptions(server.address()).retry.attempts - 1));
}

TEST(Load, StreamsCarryMessages) {
  FakeServer server;
  LoadOptions options = Short();
  options.stream = true;
  options.connections = 2;
  const auto report = Load(server, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->ok(), 0);
  EXPECT_EQ(report->accepted.count(), report->ok());
}

TEST(Load, ABrokenStreamIsAnError) {
  FakeServer server;
  server.BreakStreamsAfter(3);
  LoadOptions options = Short();
  options.stream = true;
  EXPECT_EQ(Load(server, options).status().code(), absl::StatusCode::kUnavailable);
}

TEST(Load, StopsWhenAsked) {
  FakeServer server;
  const std::atomic<bool> stop{true};
  LoadOptions options = Short();
  options.duration = absl::Hours(1);
  options.stop = &stop;
  ASSERT_TRUE(Load(server, options).ok());
}

TEST(Load, RefusesOptionsThatMakeNoSense) {
  FakeServer server;
  const auto message = [&server](void (*change)(LoadOptions*)) {
    LoadOptions options = Short();
    change(&options);
    const absl::Status status = Load(server, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message([](LoadOptions* o) { o->rate = -1; }), HasSubstr("rate is -1"));
  EXPECT_THAT(message([](LoadOptions* o) { o->outstanding = 0; }), HasSubstr("outstanding is 0"));
  EXPECT_THAT(message([](LoadOptions* o) { o->connections = 0; }), HasSubstr("connections is 0"));
  EXPECT_THAT(message([](LoadOptions* o) { o->rows_per_call = 17; }), HasSubstr("expected 1 .. 16"));
  EXPECT_THAT(message([](LoadOptions* o) { o->duration = absl::ZeroDuration(); }), HasSubstr("duration"));
  EXPECT_THAT(message([](LoadOptions* o) {
                o->stream = true;
                o->rate = 1;
              }),
              HasSubstr("a stream has no rate"));
  EXPECT_THAT(message([](LoadOptions* o) {
                o->stream = true;
                o->repeat = true;
              }),
              HasSubstr("are not repeated"));
  EXPECT_EQ(server.calls(), 0);
}

TEST(Load, ReportsAServerThatIsNotThere) {
  std::string address;
  {
    const FakeServer gone;
    address = gone.address();
  }
  const Tensor rows = MadeUpRows(16, 4);
  LoadOptions options = Short();
  options.connect_time = absl::Milliseconds(100);
  const auto report = GenerateLoad(QuickOptions(address), "m", rows.rows(), {}, options);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(address));
}

}  // namespace
}  // namespace kwta::client
