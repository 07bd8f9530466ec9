#include <gmock/gmock.h>

#include "client/client.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_up_rows.h"

namespace kwta::client {
namespace {

using ::testing::ElementsAre;

// Events 1 .. count, the last of them final.
std::vector<v1::JobEvent> Events(int count) {
  std::vector<v1::JobEvent> events(count);
  for (int i = 0; i < count; ++i) {
    events[i].set_sequence(i + 1);
    events[i].set_state(i + 1 < count ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_SUCCEEDED);
  }
  events.back().set_model_version(3);
  return events;
}

struct Watcher {
  std::vector<uint64_t> sequences;
  bool operator()(const v1::JobEvent& event) {
    sequences.push_back(event.sequence());
    return true;
  }
};

TEST(WatchJob, DeliversEveryEventAndReturnsTheLast) {
  FakeServer server;
  server.SetJob({}, Events(4));
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  const auto last = client.WatchJob("j", {}, std::ref(watcher));
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(watcher.sequences, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(last->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(last->model_version(), 3u);
}

TEST(WatchJob, ResumesAfterTheLastEventReceived) {
  FakeServer server;
  server.SetJob({}, Events(5));
  server.BreakStreamsAfter(2);
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  const auto last = client.WatchJob("j", {}, std::ref(watcher));
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(watcher.sequences, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(server.watches(), ElementsAre(0, 2, 4));
}

TEST(WatchJob, ResumesWhenAServerThatShutsDownCancelsTheStream) {
  FakeServer server;
  server.SetJob({}, Events(2));
  server.FailNext({absl::CancelledError("CANCELLED")});
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  ASSERT_TRUE(client.WatchJob("j", {}, std::ref(watcher)).ok());
  EXPECT_THAT(watcher.sequences, ElementsAre(1, 2));
  EXPECT_EQ(server.calls(), 2);
}

TEST(WatchJob, StartsWhereTheCallerSays) {
  FakeServer server;
  server.SetJob({}, Events(5));
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  WatchOptions options;
  options.after_sequence = 3;
  ASSERT_TRUE(client.WatchJob("j", options, std::ref(watcher)).ok());
  EXPECT_THAT(watcher.sequences, ElementsAre(4, 5));
}

TEST(WatchJob, StopsWhenTheCallerHasSeenEnough) {
  FakeServer server;
  server.SetJob({}, Events(5));
  Client client(QuickOptions(server.address()));
  const auto last = client.WatchJob("j", {}, [](const v1::JobEvent& event) { return event.sequence() < 2; });
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->sequence(), 2u);
  EXPECT_EQ(last->state(), v1::JOB_STATE_RUNNING);
}

TEST(WatchJob, AnswersForAJobWhoseEventsWereAllSeen) {
  FakeServer server;
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::JOB_STATE_FAILED);
  job.set_last_sequence(5);
  job.mutable_error()->set_message("diverged");
  server.SetJob(job, Events(5));
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  WatchOptions options;
  options.after_sequence = 5;
  const auto last = client.WatchJob("j", options, std::ref(watcher));
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_TRUE(watcher.sequences.empty());
  EXPECT_EQ(last->state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(last->sequence(), 5u);
  EXPECT_EQ(last->error().message(), "diverged");
}

TEST(WatchJob, GivesUpOnAServerThatWasNeverReached) {
  FakeServer server;
  server.FailNext(std::vector<absl::Status>(50, absl::UnavailableError("not ready")));
  Options options = QuickOptions(server.address());
  options.retry.attempts = 3;
  Client client(options);
  Watcher watcher;
  const absl::Status status = client.WatchJob("j", {}, std::ref(watcher)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "not ready");
  EXPECT_TRUE(IsNotReached(status));
  EXPECT_EQ(server.calls(), 3);
}

TEST(WatchJob, OutlastsMoreFailuresThanAttemptsOnceItWasReached) {
  FakeServer server;
  std::vector<v1::JobEvent> events = Events(3);
  server.SetJob({}, events);
  server.BreakStreamsAfter(1);
  Options options = QuickOptions(server.address());
  options.retry.attempts = 2;
  Client client(options);
  bool failing = false;
  int lost = 0;
  WatchOptions watch;
  watch.on_lost = [&lost](const absl::Status& status) {
    EXPECT_TRUE(IsNotReached(status)) << status;
    ++lost;
  };
  const auto last = client.WatchJob("j", watch, [&](const v1::JobEvent&) {
    if (!std::exchange(failing, true)) server.FailNext(std::vector<absl::Status>(6, absl::UnavailableError("restart")));
    return true;
  });
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->sequence(), 3u);
  EXPECT_GE(lost, 6) << "the caller is told of each pause";
}

TEST(WatchJob, GivesUpOnALostServerWhenReconnectForIsOver) {
  FakeServer server;
  std::vector<v1::JobEvent> events = Events(3);
  events.pop_back();
  server.SetJob({}, events);
  Client client(QuickOptions(server.address()));
  WatchOptions options;
  options.reconnect_for = absl::ZeroDuration();
  Watcher watcher;
  EXPECT_EQ(client.WatchJob("j", options, std::ref(watcher)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(watcher.sequences, ElementsAre(1, 2));
}

TEST(WatchJob, ReturnsOtherErrorsAtOnce) {
  FakeServer server;
  server.FailNext({absl::NotFoundError("no job 'j'")});
  Client client(QuickOptions(server.address()));
  Watcher watcher;
  EXPECT_EQ(client.WatchJob("j", {}, std::ref(watcher)).status(), absl::NotFoundError("no job 'j'"));
  EXPECT_EQ(server.calls(), 1);
}

}  // namespace
}  // namespace kwta::client
