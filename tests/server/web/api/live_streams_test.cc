#include "server/web/api/live_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_events.h"
#include "server/jobs/sqlite_job_store.h"
#include "tests/server/jobs/faulty_job_store.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Longer than any machine takes.
constexpr absl::Duration kPatience = absl::Seconds(60);

// A client's end of a stream.
class HeardStream final : public HttpStream {
 public:
  bool Send(std::string bytes) override {
    absl::MutexLock lock(&mutex_);
    if (gone_ || closed_) return false;
    heard_.push_back(std::move(bytes));
    return true;
  }
  void Close() override {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  bool over() const override {
    absl::MutexLock lock(&mutex_);
    return gone_ || closed_;
  }

  void Leave() {
    absl::MutexLock lock(&mutex_);
    gone_ = true;
  }
  // Waits for so many events, and returns them.
  std::vector<std::string> Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return heard_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience));
    return heard_;
  }
  void AwaitClose() {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&closed_), kPatience));
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> heard_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
};

class LiveStreamsTest : public ::testing::Test {
 protected:
  LiveStreamsTest() : store_(OpenSqliteJobStore(directory_.File("kwta.db")).value()) {
    v1::JobSpec spec;
    spec.set_model("digits");
    EXPECT_TRUE(store_.Create("a", spec, absl::UnixEpoch()).ok());
    streams_ =
        std::make_unique<LiveStreams>([this] { return absl::StrCat(R"({"call": )", ++overviews_, "}"); }, &store_);
  }

  void Append(v1::JobState state) { EXPECT_TRUE(store_.Append("a", StateEvent(state, absl::UnixEpoch())).ok()); }

  const TemporaryDirectory directory_;
  FaultyJobStore store_;
  int overviews_ = 0;  // used by the streams' thread
  std::unique_ptr<LiveStreams> streams_;
};

TEST_F(LiveStreamsTest, OverviewsComeAtOnceAndAgain) {
  const auto first = std::make_shared<HeardStream>(), second = std::make_shared<HeardStream>();
  streams_->AddOverview(first);
  EXPECT_THAT(first->Await(1)[0], AllOf(StartsWith("event: overview\n"), HasSubstr("data: {\"call\": 1}\n")));
  streams_->AddOverview(second);
  EXPECT_THAT(second->Await(1)[0], HasSubstr("event: overview\n"));
  // Those that come later are the same for both.
  const std::string again = second->Await(2)[1];
  EXPECT_THAT(first->Await(2), ::testing::Contains(again));
}

TEST_F(LiveStreamsTest, AJobsEventsComeInOrderUntilItEnds) {
  Append(v1::JOB_STATE_RUNNING);
  const auto all = std::make_shared<HeardStream>(), late = std::make_shared<HeardStream>();
  streams_->AddJob(all, "a", 0);
  streams_->AddJob(late, "a", 1);
  all->Await(2);
  Append(v1::JOB_STATE_CANCELLED);
  all->AwaitClose();
  late->AwaitClose();
  EXPECT_THAT(all->Await(3), ElementsAre(AllOf(HasSubstr("event: job\n"), HasSubstr("id: 1\n"), HasSubstr("queued")),
                                         AllOf(HasSubstr("id: 2\n"), HasSubstr("running")),
                                         AllOf(HasSubstr("id: 3\n"), HasSubstr("cancelled"))));
  EXPECT_THAT(late->Await(2), ElementsAre(HasSubstr("id: 2\n"), HasSubstr("id: 3\n")));
}

TEST_F(LiveStreamsTest, AStoreThatFailsForAWhileLosesNoEvent) {
  store_.FailReads(absl::UnavailableError("the disk is slow"));
  const auto stream = std::make_shared<HeardStream>();
  streams_->AddJob(stream, "a", 0);
  store_.AwaitFailures(2);
  store_.FailReads(absl::OkStatus());
  EXPECT_THAT(stream->Await(1), ElementsAre(HasSubstr("id: 1\n")));
}

TEST_F(LiveStreamsTest, ClientsThatLeftAreForgotten) {
  const auto overview = std::make_shared<HeardStream>(), job = std::make_shared<HeardStream>();
  const auto stays = std::make_shared<HeardStream>();
  for (const auto& stream : {overview, stays}) streams_->AddOverview(stream);
  streams_->AddJob(job, "a", 0);
  overview->Await(1);
  job->Await(1);
  overview->Leave();
  job->Leave();
  stays->Await(stays->Await(1).size() + 2);
  EXPECT_EQ(overview.use_count(), 1);
  EXPECT_EQ(job.use_count(), 1);
}

TEST_F(LiveStreamsTest, TheEndClosesAll) {
  const auto overview = std::make_shared<HeardStream>(), job = std::make_shared<HeardStream>();
  streams_->AddOverview(overview);
  streams_->AddJob(job, "a", 0);
  overview->Await(1);
  job->Await(1);
  streams_.reset();
  EXPECT_TRUE(overview->over());
  EXPECT_TRUE(job->over());
}

TEST_F(LiveStreamsTest, StreamsThatCameLastAreClosedToo) {
  for (int i = 0; i < 20; ++i) {  // most come after the thread has looked for the last time
    const auto overview = std::make_shared<HeardStream>(), job = std::make_shared<HeardStream>();
    {
      LiveStreams streams([] { return std::string("{}"); }, &store_);
      streams.AddOverview(overview);
      streams.AddJob(job, "a", 0);
    }
    EXPECT_TRUE(overview->over());
    EXPECT_TRUE(job->over());
  }
}

}  // namespace
}  // namespace kwta::server
