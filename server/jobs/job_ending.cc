// Methods of JobRunner that store how a job continues and ends, whatever the store does.
#include <google/protobuf/util/message_differencer.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/jobs/job_events.h"
#include "server/jobs/job_runner.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

// The newest failed jobs that may have left a checkpoint for another one.
constexpr int64_t kFailedJobsSeen = 100;
constexpr char kGoesOn[] = "; its checkpoint is kept: the next job of the same spec goes on from it";
constexpr absl::Duration kFirstStorePause = absl::Milliseconds(100);
constexpr absl::Duration kLongestStorePause = absl::Seconds(5);

}  // namespace

absl::Duration JobRunner::StorePause(int attempt) {
  absl::Duration pause = kFirstStorePause;
  for (int i = 1; i < attempt && pause < kLongestStorePause; ++i) pause *= 2;
  return std::min(pause, kLongestStorePause);
}

bool JobRunner::PauseForStore(const std::string& id, int attempt, const absl::Status& why) {
  {
    absl::MutexLock lock(&trouble_mutex_);
    waiting_[id] = why;
  }
  if (attempt == 1) spdlog::error("job {}: waits for the store: {}", id, std::string(why.message()));
  return !stop_.StoppedWithin(StorePause(attempt));
}

void JobRunner::StoredAgain(const std::string& id) {
  absl::MutexLock lock(&trouble_mutex_);
  waiting_.erase(id);
}

absl::StatusOr<v1::Job> JobRunner::AppendPatiently(const std::string& id, const v1::JobEvent& event) {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<v1::Job> job = journal_->Append(id, event);
    // A record that cannot be read now will not be readable later.
    const bool answered =
        job.ok() || JobHasEnded(job.status()) || absl::IsNotFound(job.status()) || absl::IsDataLoss(job.status());
    // Try once more after the runner was told to stop: the store may have recovered.
    const bool last = !answered && !PauseForStore(id, attempt, job.status());
    if (last) job = journal_->Append(id, event);
    if (!answered && !last) continue;
    StoredAgain(id);
    if (!job.ok() && !JobHasEnded(job.status())) {
      spdlog::error("job {}: '{}' was not stored: {}", id, JobStateName(event.state()), job.status().ToString());
    }
    return job;
  }
}

void JobRunner::Publish(const v1::Job& job) {
  const std::string& model = job.spec().model();
  const std::string bundle = BundlePath(job.id());
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<uint64_t> version = models_->Publish(model, bundle, job.id());
    if (version.ok()) {
      StoredAgain(job.id());
      return End(job, SucceededEvent(*version, absl::Now()), Keep::kNothing);
    }
    if (!RetryAfter(version.status()).has_value()) {
      StoredAgain(job.id());
      const absl::Status error(
          version.status().code(),
          absl::StrCat("the model was trained but could not be published: ", version.status().message(),
                       ". It is kept: once that is mended, publish it with  mv '", bundle, "' '",
                       models_->DirectoryOf(model), "/N'  where N is a version that is not taken"));
      return End(job, FailedEvent(error, absl::Now()), Keep::kResults);
    }
    if (!PauseForStore(job.id(), attempt, version.status())) {
      StoredAgain(job.id());
      spdlog::warn("job {}: its model will be published at the next start: {}", job.id(), version.status().ToString());
      return;
    }
  }
}

void JobRunner::Fail(const v1::Job& job, const absl::Status& error) {
  const Keep keep = KeepOfFailure(error.code(), Directory(job.id()));
  const bool goes_on = keep == Keep::kProgress;
  const absl::Status told(error.code(), absl::StrCat(error.message(), goes_on ? kGoesOn : ""));
  End(job, FailedEvent(told, absl::Now()), keep);
}

absl::StatusOr<std::vector<v1::Job>> JobRunner::FailedJobs() const {
  return journal_->store().List(v1::JOB_STATE_FAILED, kFailedJobsSeen);
}

void JobRunner::GoOnFromAFailedJob(const v1::Job& job) {
  const absl::StatusOr<std::vector<v1::Job>> failed = FailedJobs();
  if (!failed.ok()) return;
  for (const v1::Job& each : *failed) {
    if (!google::protobuf::util::MessageDifferencer::Equals(each.spec(), job.spec())) continue;
    if (!MoveCheckpoint(Directory(each.id()), Directory(job.id()))) continue;
    spdlog::info("job {}: goes on from the checkpoint of job {}, which failed", job.id(), each.id());
    return;
  }
}

void JobRunner::Requeue(const std::string& id) {
  if (!AppendPatiently(id, StateEvent(v1::JOB_STATE_QUEUED, absl::Now())).ok()) return;
  spdlog::info("job {}: interrupted, queued again", id);
  absl::MutexLock lock(&mutex_);
  running_[id].runs_again = true;
}

void JobRunner::End(const v1::Job& job, const v1::JobEvent& event, Keep keep) {
  if (!AppendPatiently(job.id(), event).ok()) return;
  if (event.has_error()) {
    spdlog::error("job {}: failed: {}", job.id(), event.error().message());
  } else {
    spdlog::info("job {}: {}, model {} version {}", job.id(), JobStateName(event.state()), job.spec().model(),
                 event.model_version());
  }
  ClearJobDirectory(Directory(job.id()), keep);
  absl::MutexLock lock(&mutex_);
  kills_.erase(job.id());
}

}  // namespace kwta::server
