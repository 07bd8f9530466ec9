#include "server/jobs/job_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "server/jobs/job_events.h"
#include "server/jobs/progress_filter.h"
#include "server/jobs/trainer_priority.h"
#include "server/metrics/metrics.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

// A trainer that was killed this often will be killed again.
constexpr int kMostKills = 3;
constexpr absl::Duration kPoll = absl::Milliseconds(100);
constexpr absl::Duration kFullQueuePause = absl::Minutes(1);  // training takes minutes
constexpr size_t kLogTailBytes = 1500;

std::string NewJobId(absl::Time now) {
  return absl::StrCat("job-", absl::FormatTime("%Y%m%d-%H%M%S", now, absl::UTCTimeZone()),
                      absl::StrFormat("-%08x", std::random_device{}()));
}

}  // namespace

JobRunner::JobRunner(JobRunnerOptions options, JobJournal* journal, ModelManager* models, Metrics* metrics)
    : options_(std::move(options)), journal_(journal), models_(models), metrics_(metrics) {}

JobRunner::~JobRunner() {
  BeginStop();
  FinishStop();
}

void JobRunner::Start() {
  const absl::Status taken_up = TakeUp();
  for (int i = 0; i < options_.max_running_jobs; ++i) threads_.emplace_back([this] { Work(); });
  if (taken_up.ok()) return;
  spdlog::error("jobs wait for the store: {}", taken_up.ToString());
  threads_.emplace_back([this] {
    for (int attempt = 1; !stop_.StoppedWithin(StorePause(attempt)); ++attempt) {
      if (TakeUp().ok()) return;
    }
  });
}

absl::Status JobRunner::TakeUp() {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  absl::StatusOr<std::vector<v1::Job>> found = journal_->store().List(v1::JOB_STATE_RUNNING, kAll);
  absl::Status status = found.status();
  for (size_t i = 0; status.ok() && i < found->size(); ++i) status = TakeUpInterrupted((*found)[i]);
  {
    // Hold the lock: callers may already call Submit, which must see the jobs found here.
    absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      found = journal_->store().List(v1::JOB_STATE_QUEUED, kAll);
      status = found.status();
    }
    {
      absl::MutexLock trouble(&trouble_mutex_);
      take_up_trouble_ = status;
    }
    if (!status.ok()) return status;
    queue_.clear();
    for (auto job = found->rbegin(); job != found->rend(); ++job) queue_.push_back({job->id(), SteadyTime::Now()});
  }
  RemoveDebris();  // before any job makes its directory
  if (options_.taken_up) options_.taken_up();
  absl::MutexLock lock(&mutex_);
  taken_up_ = true;
  return absl::OkStatus();
}

absl::Status JobRunner::TakeUpInterrupted(const v1::Job& job) {
  v1::JobEvent event = StateEvent(v1::JOB_STATE_QUEUED, absl::Now());
  // The server may have died after publishing the model and before recording it.
  if (models_->VersionOfJob(job.spec().model(), job.id()) != 0) {
    const absl::StatusOr<uint64_t> version = models_->Publish(job.spec().model(), BundlePath(job.id()), job.id());
    if (RetryAfter(version.status()).has_value()) return version.status();
    if (version.ok()) event = SucceededEvent(*version, absl::Now());  // else the version has gone meanwhile
  }
  const absl::Status status = journal_->Append(job.id(), event).status();
  if (JobHasEnded(status)) return absl::OkStatus();  // cancelled this very moment
  if (absl::IsDataLoss(status)) {
    spdlog::error("job {}: is left as it is: {}", job.id(), status.ToString());
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(status);
  if (event.model_version() != 0) {
    spdlog::info("job {}: had published model {} version {}", job.id(), job.spec().model(), event.model_version());
  } else {
    spdlog::info("job {}: was interrupted, goes on from its last checkpoint", job.id());
  }
  return absl::OkStatus();
}

void JobRunner::RemoveDebris() {
  const absl::StatusOr<std::vector<v1::Job>> failed = FailedJobs();
  // Whether a failed job has a checkpoint that another job could still be given.
  const auto keeps_progress = [&failed](const v1::Job& job, const std::string& directory) {
    const auto code = static_cast<absl::StatusCode>(job.error().code());
    if (KeepOfFailure(code, directory) != Keep::kProgress) return false;
    return !failed.ok() ||
           std::any_of(failed->begin(), failed->end(), [&job](const v1::Job& each) { return each.id() == job.id(); });
  };
  std::error_code error;
  for (fs::directory_iterator entry(options_.jobs_directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const absl::StatusOr<v1::Job> job = journal_->store().Get(entry->path().filename().string());
    // If the store does not know a job, keep the job's work: the store may have been replaced.
    Keep keep = Keep::kResults;
    if (job.ok()) {
      const bool over = job->state() == v1::JOB_STATE_SUCCEEDED || job->state() == v1::JOB_STATE_CANCELLED;
      const bool lost = job->state() == v1::JOB_STATE_FAILED && !keeps_progress(*job, entry->path().string());
      keep = over ? Keep::kNothing : lost ? Keep::kResults : Keep::kProgress;
    } else if (!absl::IsNotFound(job.status())) {
      continue;
    }
    for (const std::string& path : ClearJobDirectory(entry->path().string(), keep)) {
      spdlog::info("removed '{}', which a server that ended early had left", path);
    }
  }
}

absl::Status JobRunner::Reserve(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::UnavailableError("the server is stopping; submit the job to it again later");
  const bool full = static_cast<int64_t>(queue_.size()) + reserved_ >= options_.max_queued_jobs;
  if (full && (id.empty() || !journal_->store().Get(id).ok())) {
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                              options_.max_queued_jobs, " jobs wait, and no more may ",
                              "(--max-queued-jobs); submit the job when some have been trained, or ", "cancel some")),
                          kFullQueuePause);
  }
  ++reserved_;
  return absl::OkStatus();
}

absl::Status JobRunner::CheckIdIsFree(const std::string& id, const std::string& model) const {
  if (!absl::IsNotFound(journal_->store().Get(id).status())) return absl::OkStatus();
  const std::string bundle = BundlePath(id);
  std::string left;
  std::error_code ignored;
  if (const uint64_t version = models_->VersionOfJob(model, id); version != 0) {
    left = absl::StrCat("version ", version, " of model '", model, "' is of it");
  } else if (fs::exists(bundle, ignored)) {
    left = absl::StrCat("its model lies in '", bundle, "': to publish that, move it to '", models_->DirectoryOf(model),
                        "/N', where N is a version that is not taken");
  } else {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(absl::StrCat("job_id '", id,
                                               "' is that of an earlier job, which the job store no longer has; ", left,
                                               ". Take another job_id"));
}

absl::StatusOr<v1::Job> JobRunner::Submit(std::string id, const v1::JobSpec& spec) {
  if (!id.empty()) KWTA_RETURN_IF_ERROR(CheckIdIsFree(id, spec.model()));
  KWTA_RETURN_IF_ERROR(Reserve(id));
  const absl::Time now = absl::Now();
  if (id.empty()) id = NewJobId(now);
  absl::StatusOr<JobStore::Created> created = journal_->Create(id, spec, now);
  absl::MutexLock lock(&mutex_);
  --reserved_;
  KWTA_RETURN_IF_ERROR(created.status());
  if (created->is_new) {
    spdlog::info("job {}: queued, trains model {}", id, spec.model());
    const bool known = running_.count(id) != 0 || std::any_of(queue_.begin(), queue_.end(), Is(id));
    if (!known) queue_.push_back({id, SteadyTime::Now()});
  }
  return std::move(created->job);
}

absl::StatusOr<v1::Job> JobRunner::Cancel(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto running = running_.find(id);
  if (running != running_.end() && running->second.ending) {
    return absl::FailedPreconditionError(absl::StrCat(
        "job '", id, "' is just ending and cannot be cancelled any more; if it publishes a model, delete that"));
  }
  KWTA_ASSIGN_OR_RETURN(v1::Job job, journal_->store().Get(id));
  if (job.state() == v1::JOB_STATE_CANCELLED) return job;
  KWTA_ASSIGN_OR_RETURN(job, journal_->Append(id, StateEvent(v1::JOB_STATE_CANCELLED, absl::Now())));
  spdlog::info("job {}: cancelled", id);
  kills_.erase(id);
  if (running != running_.end()) {
    running->second.cancelled = true;
    StopTrainer(&running->second);
  } else {
    queue_.erase(std::remove_if(queue_.begin(), queue_.end(), Is(id)), queue_.end());
    ClearJobDirectory(Directory(id), Keep::kNothing);
  }
  return job;
}

absl::Status JobRunner::trouble() {
  absl::MutexLock lock(&trouble_mutex_);
  return waiting_.empty() ? take_up_trouble_ : waiting_.begin()->second;
}

void JobRunner::BeginStop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (auto& [id, running] : running_) StopTrainer(&running);
  }
  // A job that this wakes must see that the runner stops, or it would end as failed instead of being queued again.
  stop_.Stop();
}

void JobRunner::FinishStop() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void JobRunner::StopTrainer(Running* running) {
  if (running->process != nullptr) running->process->Terminate();
  running->kill_at = std::min(running->kill_at, SteadyTime::Now() + options_.stop_grace);
}

void JobRunner::Work() {
  for (;;) {
    QueuedJob next;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &JobRunner::HasJobOrStops));
      if (stopping_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      running_[next.id];
    }
    const std::string& id = next.id;
    Run(id, next.since);
    absl::MutexLock lock(&mutex_);
    const bool runs_again = running_[id].runs_again;
    running_.erase(id);
    if (runs_again && !stopping_) queue_.push_back({id, SteadyTime::Now()});
  }
}

void JobRunner::Run(const std::string& id, SteadyTime queued) {
  const absl::StatusOr<v1::Job> job = AppendPatiently(id, StateEvent(v1::JOB_STATE_RUNNING, absl::Now()));
  if (JobHasEnded(job.status())) ClearJobDirectory(Directory(id), Keep::kNothing);  // cancelled at the last moment
  if (!job.ok()) return;  // or the runner stops: the store keeps the job queued for the next start
  spdlog::info("job {}: runs, attempt {}", id, job->attempts());
  const SteadyTime now = SteadyTime::Now();
  metrics_->jobs().Started(id, job->spec().model(), now - queued, now);
  const Ending ending = TrainPatiently(*job);
  metrics_->jobs().Stopped(id);

  bool stopping = false;
  {
    absl::MutexLock lock(&mutex_);
    if (running_[id].cancelled) {
      ClearJobDirectory(Directory(id), Keep::kNothing);
      return;
    }
    running_[id].ending = true;
    stopping = stopping_;
  }
  if (ending.report.has_finished()) {
    Publish(*job);
  } else if (ending.report.has_failed()) {
    const v1::Failure& failure = ending.report.failed();
    Fail(*job, absl::Status(static_cast<absl::StatusCode>(failure.code()), failure.message()));
  } else if (ending.report.interrupted() || stopping || (ending.killed && MayTryAgain(id))) {
    Requeue(id);
  } else {
    Fail(*job, ending.error);
  }
}

bool JobRunner::MayTryAgain(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  if (++kills_[id] >= kMostKills) return false;
  spdlog::warn("job {}: its trainer was killed, {} of at most {} times; it goes on from its last checkpoint", id,
               kills_[id], kMostKills);
  return true;
}

bool JobRunner::IsCancelled(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  return running_[id].cancelled;
}

JobRunner::Ending JobRunner::TrainPatiently(const v1::Job& job) {
  for (int attempt = 1;; ++attempt) {
    Ending ending = Train(job);
    const bool again = RetryAfter(ending.error).has_value() && PauseForStore(job.id(), attempt, ending.error) &&
                       !IsCancelled(job.id());
    if (again) continue;
    StoredAgain(job.id());
    return ending;
  }
}

JobRunner::Ending JobRunner::Train(const v1::Job& job) {
  const std::string directory = Directory(job.id());
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    const absl::Status status =
        absl::UnavailableError(absl::StrCat("cannot make the job's directory '", directory, "': ", error.message()));
    return {{}, WithRetryAfter(status, StorePause(1))};
  }
  Ending ending;
  if (fs::exists(BundlePath(job.id()), error)) {
    // An earlier run wrote its bundle, which appears whole or not at all, but could not publish it.
    ending.report.mutable_finished();
    return ending;
  }
  GoOnFromAFailedJob(job);
  v1::TrainerTask task;
  task.set_job_id(job.id());
  *task.mutable_spec() = job.spec();
  for (const std::string& each : options_.data_directories) task.add_data_directories(each);
  task.set_work_directory(directory);
  task.set_backend(options_.backend);
  if (options_.device.has_value()) task.set_device(static_cast<uint32_t>(*options_.device));
  if (job.spec().has_base()) {
    const v1::BaseModelRef& base = job.spec().base();
    const absl::StatusOr<ModelVersionInfo> model = models_->Describe({base.model(), base.version()});
    if (!model.ok()) {
      return {{},
              absl::Status(model.status().code(), absl::StrCat("the base model is gone: ", model.status().message()))};
    }
    task.set_base_directory(model->directory);
  }
  absl::StatusOr<std::unique_ptr<TrainerProcess>> process = TrainerProcess::Start(
      {options_.trainer_program, options_.trainer_niceness, absl::StrCat(directory, "/", kTrainerLogName)}, task);
  if (absl::IsUnavailable(process.status())) return {{}, WithRetryAfter(process.status(), StorePause(1))};
  if (!process.ok()) return {{}, process.status()};
  {
    absl::MutexLock lock(&mutex_);
    Running& running = running_[job.id()];
    running.process = process->get();
    if (running.cancelled || stopping_) StopTrainer(&running);
  }
  if (options_.priority != nullptr) options_.priority->Add((*process)->pid(), SteadyTime::Now());
  ending = Listen(job, process->get());
  if (options_.priority != nullptr) options_.priority->Remove((*process)->pid());
  const std::string how = (*process)->Reap(options_.stop_grace);
  {
    absl::MutexLock lock(&mutex_);
    running_[job.id()].process = nullptr;
  }
  const std::string log = (*process)->LogTail(kLogTailBytes);
  ending.killed = ending.error.ok() && (*process)->was_killed();
  const std::string words = absl::StrCat(log.empty() ? "it wrote nothing to its log" : "its last words: ", log,
                                         ending.killed ? ". The system kills so where memory is short" : "");
  ending.error =
      absl::InternalError(ending.error.ok() ? absl::StrCat("the trainer ", how, " without a final report; ", words)
                                            : absl::StrCat(ending.error.message(), " and was stopped; ", words));
  return ending;
}

JobRunner::Ending JobRunner::Listen(const v1::Job& job, TrainerProcess* process) {
  Ending ending;
  ProgressFilter filter(SteadyTime::Now());
  for (;;) {
    v1::TrainerReport report;
    const absl::StatusOr<TrainerProcess::Event> event = process->Next(kPoll, &report);
    if (!event.ok()) {
      process->Kill();
      ending.error = event.status();
      return ending;
    }
    if (*event == TrainerProcess::Event::kEnd) return ending;
    if (options_.priority != nullptr) options_.priority->Look(SteadyTime::Now());
    {
      absl::MutexLock lock(&mutex_);
      const Running& running = running_[job.id()];
      if (SteadyTime::Now() >= running.kill_at) process->Kill();
      if (running.cancelled) continue;  // its events have ended
    }
    if (*event == TrainerProcess::Event::kNothingYet) continue;
    if (!report.has_progress()) {
      ending.report = std::move(report);
      continue;
    }
    metrics_->jobs().Progress(job.id(), report.progress(), SteadyTime::Now());
    if (!filter.Keep(report.progress(), SteadyTime::Now())) continue;
    const absl::Status status = journal_->Append(job.id(), ProgressEvent(report.progress(), absl::Now())).status();
    if (!status.ok() && !JobHasEnded(status)) {
      spdlog::warn("job {}: its progress was not stored: {}", job.id(), status.ToString());
    }
  }
}

}  // namespace kwta::server
