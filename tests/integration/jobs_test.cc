// Jobs through real processes: watching, repeating, cancelling, crashing, going on after a restart.

#include <signal.h>

#include <chrono>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

using Events = std::vector<v1::JobEvent>;

// A job that goes on for many minutes unless somebody stops it.
v1::TrainRequest LongJob(const std::string& model) { return SmallJob(model, 100000, 256, 2000); }

v1::Job Submit(ServerProcess& server, const v1::TrainRequest& request) {
  grpc::ClientContext context;
  v1::TrainResponse response;
  const grpc::Status status = server.stub().Train(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.job();
}

// Follows a job until an event satisfies `enough`, or the job ends.
template <typename Predicate>
Events WatchUntil(ServerProcess& server, const std::string& job_id, uint64_t after, Predicate enough) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  request.set_after_sequence(after);
  const auto reader = server.stub().WatchJob(&context, request);
  Events events;
  v1::JobEvent event;
  while (reader->Read(&event)) {
    events.push_back(event);
    if (enough(event)) break;
  }
  context.TryCancel();
  reader->Finish();
  return events;
}

bool HasTrainedAnEpoch(const v1::JobEvent& event) { return event.progress().epochs_done() >= 1; }

grpc::Status Cancel(ServerProcess& server, const std::string& job_id, v1::Job* job) {
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  v1::CancelJobResponse response;
  const grpc::Status status = server.stub().CancelJob(&context, request, &response);
  *job = response.job();
  return status;
}

TEST(Jobs, EventsAreGaplessAndResumable) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const v1::Job job = TrainToEnd(server.stub(), SmallJob("fashion", 3));
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  const auto never = [](const v1::JobEvent&) { return false; };
  const Events all = WatchUntil(server, job.id(), 0, never);
  ASSERT_GE(all.size(), 4u);  // Queued, running, at least one progress, succeeded.
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].sequence(), i + 1);
  EXPECT_EQ(all.front().state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(all.back().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(all.back().model_version(), 1u);
  EXPECT_EQ(all.back().sequence(), job.last_sequence());
  const Events rest = WatchUntil(server, job.id(), 2, never);
  ASSERT_EQ(rest.size(), all.size() - 2);
  for (size_t i = 0; i < rest.size(); ++i) EXPECT_EQ(rest[i].SerializeAsString(), all[i + 2].SerializeAsString());
  EXPECT_TRUE(WatchUntil(server, job.id(), job.last_sequence(), never).empty());
}

TEST(Jobs, TheSameRequestGivesTheSameJobAndAnotherIsRefused) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  v1::TrainRequest request = SmallJob("fashion", 1);
  request.set_job_id("monday");
  ASSERT_EQ(TrainToEnd(server.stub(), request).id(), "monday");
  EXPECT_EQ(Submit(server, request).state(), v1::JOB_STATE_SUCCEEDED);
  request.mutable_spec()->mutable_training()->set_epochs(2);
  grpc::ClientContext context;
  v1::TrainResponse response;
  const grpc::Status status = server.stub().Train(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_NE(status.error_message().find("monday"), std::string::npos) << status.error_message();
}

TEST(Jobs, ARunningAndAQueuedJobAreCancelled) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const v1::Job running = Submit(server, LongJob("one"));
  const v1::Job queued = Submit(server, LongJob("two"));
  ASSERT_TRUE(HasTrainedAnEpoch(WatchUntil(server, running.id(), 0, HasTrainedAnEpoch).back()));
  EXPECT_EQ(GetJob(server.stub(), queued.id()).state(), v1::JOB_STATE_QUEUED);
  v1::Job job;
  ASSERT_TRUE(Cancel(server, queued.id(), &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  ASSERT_TRUE(Cancel(server, running.id(), &job).ok());
  EXPECT_EQ(WaitForEnd(server.stub(), running.id()).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(Cancel(server, running.id(), &job).ok()) << "cancelling twice is no error";

  const v1::Job done = TrainToEnd(server.stub(), SmallJob("three", 1));
  ASSERT_EQ(done.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Cancel(server, done.id(), &job).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Cancel(server, "nobody", &job).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(Jobs, ATrainerThatIsKilledGoesOnUntilTheThirdTime) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const v1::Job job = Submit(server, LongJob("fashion"));
  const auto is_queued = [](const v1::JobEvent& event) { return event.state() == v1::JOB_STATE_QUEUED; };
  uint64_t seen = 1;  // it was queued
  for (int time = 1; time <= 3; ++time) {
    const std::vector<v1::JobEvent> events = WatchUntil(server, job.id(), seen, HasTrainedAnEpoch);
    ASSERT_TRUE(HasTrainedAnEpoch(events.back()));
    const std::vector<pid_t> trainers = ChildrenOf(server.process().pid());
    ASSERT_EQ(trainers.size(), 1u);
    kill(trainers[0], SIGKILL);
    if (time < 3) seen = WatchUntil(server, job.id(), events.back().sequence(), is_queued).back().sequence();
  }
  const v1::Job failed = WaitForEnd(server.stub(), job.id());
  EXPECT_EQ(failed.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(failed.attempts(), 3u);
  EXPECT_NE(failed.error().message().find("signal 9"), std::string::npos) << failed.error().message();
  EXPECT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).state(), v1::JOB_STATE_SUCCEEDED)
      << "nothing else failed";
}

TEST(Jobs, AJobGoesOnAfterTheServerStoppedAndAfterItWasKilled) {
  const std::string state = MakeTemporaryDirectory();
  std::string job_id;
  uint64_t seen = 0;
  for (const int stop_signal : {SIGTERM, SIGKILL}) {
    ServerProcess server(state);
    ASSERT_TRUE(server.ready()) << server.log();
    if (job_id.empty()) job_id = Submit(server, LongJob("fashion")).id();
    const Events events = WatchUntil(server, job_id, seen, HasTrainedAnEpoch);
    ASSERT_TRUE(HasTrainedAnEpoch(events.back()));
    seen = events.back().sequence();
    server.process().Signal(stop_signal);
    EXPECT_EQ(server.process().Wait(), stop_signal == SIGTERM ? 0 : -SIGKILL) << server.log();
  }
  ServerProcess server(state);
  ASSERT_TRUE(server.ready()) << server.log();
  const Events events = WatchUntil(server, job_id, seen, HasTrainedAnEpoch);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().sequence(), seen + 1) << "history is complete";
  EXPECT_TRUE(HasTrainedAnEpoch(events.back()));
  EXPECT_EQ(GetJob(server.stub(), job_id).attempts(), 3u);
  v1::Job job;
  ASSERT_TRUE(Cancel(server, job_id, &job).ok());
  EXPECT_EQ(WaitForEnd(server.stub(), job_id).state(), v1::JOB_STATE_CANCELLED);
}

}  // namespace
}  // namespace kwta::testing
