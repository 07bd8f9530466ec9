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
#include "server/metrics/metrics.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kPoll = absl::Milliseconds(100);
constexpr absl::Duration kFullQueuePause = absl::Minutes(1);  // training takes minutes
constexpr size_t kLogTailBytes = 1500;
constexpr char kLogName[] = "trainer.log";
constexpr char kBundleName[] = "bundle";

std::string NewJobId(absl::Time now) {
  return absl::StrCat("job-", absl::FormatTime("%Y%m%d-%H%M%S", now, absl::UTCTimeZone()),
                      absl::StrFormat("-%08x", std::random_device{}()));
}

void ClearDirectory(const std::string& directory, bool keep_log) {
  std::error_code error;
  if (!keep_log) {
    fs::remove_all(directory, error);
    return;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().filename() != kLogName) fs::remove_all(entry.path(), error);
  }
}

}  // namespace

JobRunner::JobRunner(JobRunnerOptions options, JobJournal* journal, ModelManager* models, Metrics* metrics)
    : options_(std::move(options)), journal_(journal), models_(models), metrics_(metrics) {}

JobRunner::~JobRunner() {
  BeginStop();
  FinishStop();
}

absl::Status JobRunner::Start() {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  KWTA_ASSIGN_OR_RETURN(const std::vector<v1::Job> interrupted, journal_->store().List(v1::JOB_STATE_RUNNING, kAll));
  for (const v1::Job& job : interrupted) {
    // The server may have died between publishing the model and saying so.
    const uint64_t version = models_->VersionOfJob(job.spec().model(), job.id());
    if (version != 0) {
      End(job, SucceededEvent(version, absl::Now()));
    } else {
      const absl::Status status = journal_->Append(job.id(), StateEvent(v1::JOB_STATE_QUEUED, absl::Now())).status();
      if (absl::IsFailedPrecondition(status)) continue;  // cancelled this very moment
      KWTA_RETURN_IF_ERROR(status);
      spdlog::info("job {}: was interrupted, goes on from its last checkpoint", job.id());
    }
  }
  // Under the lock: Submit may be called already, and must see which jobs were found here.
  absl::MutexLock lock(&mutex_);
  KWTA_ASSIGN_OR_RETURN(const std::vector<v1::Job> queued, journal_->store().List(v1::JOB_STATE_QUEUED, kAll));
  queue_.clear();
  for (auto job = queued.rbegin(); job != queued.rend(); ++job) queue_.push_back(job->id());
  for (int i = 0; i < options_.max_running_jobs; ++i) threads_.emplace_back([this] { Work(); });
  return absl::OkStatus();
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

absl::StatusOr<v1::Job> JobRunner::Submit(std::string id, const v1::JobSpec& spec) {
  KWTA_RETURN_IF_ERROR(Reserve(id));
  const absl::Time now = absl::Now();
  if (id.empty()) id = NewJobId(now);
  absl::StatusOr<JobStore::Created> created = journal_->Create(id, spec, now);
  absl::MutexLock lock(&mutex_);
  --reserved_;
  KWTA_RETURN_IF_ERROR(created.status());
  if (created->is_new) {
    spdlog::info("job {}: queued, trains model {}", id, spec.model());
    const bool taken_up = running_.count(id) != 0 || std::find(queue_.begin(), queue_.end(), id) != queue_.end();
    if (!taken_up) queue_.push_back(id);
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
  if (running != running_.end()) {
    running->second.cancelled = true;
    StopTrainer(&running->second);
  } else {
    queue_.erase(std::remove(queue_.begin(), queue_.end(), id), queue_.end());
    ClearDirectory(Directory(id), /*keep_log=*/false);
  }
  return job;
}

void JobRunner::BeginStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  for (auto& [id, running] : running_) StopTrainer(&running);
}

void JobRunner::FinishStop() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void JobRunner::StopTrainer(Running* running) {
  if (running->process != nullptr) running->process->Terminate();
  running->kill_at = std::min(running->kill_at, absl::Now() + options_.stop_grace);
}

void JobRunner::Work() {
  for (;;) {
    std::string id;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &JobRunner::HasJobOrStops));
      if (stopping_) return;
      id = std::move(queue_.front());
      queue_.pop_front();
      running_[id];
    }
    Run(id);
    absl::MutexLock lock(&mutex_);
    running_.erase(id);
  }
}

void JobRunner::Run(const std::string& id) {
  const absl::StatusOr<v1::Job> job = journal_->Append(id, StateEvent(v1::JOB_STATE_RUNNING, absl::Now()));
  if (!job.ok()) {
    // Cancelled at the last moment, or the store failed; then the job is still queued there for the next start.
    if (!absl::IsFailedPrecondition(job.status())) spdlog::error("job {}: {}", id, job.status().ToString());
    return;
  }
  spdlog::info("job {}: runs, attempt {}", id, job->attempts());
  const Ending ending = Train(*job);
  metrics_->JobStopped(job->spec().model());

  bool stopping = false;
  {
    absl::MutexLock lock(&mutex_);
    if (running_[id].cancelled) {
      ClearDirectory(Directory(id), /*keep_log=*/false);
      return;
    }
    running_[id].ending = true;
    stopping = stopping_;
  }
  if (ending.report.has_finished()) {
    Publish(*job);
  } else if (ending.report.has_failed()) {
    const v1::Failure& failure = ending.report.failed();
    End(*job, FailedEvent(absl::Status(static_cast<absl::StatusCode>(failure.code()), failure.message()), absl::Now()));
  } else if (ending.report.interrupted() || stopping) {
    Requeue(id);
  } else {
    End(*job, FailedEvent(ending.error, absl::Now()));
  }
}

JobRunner::Ending JobRunner::Train(const v1::Job& job) {
  const std::string directory = Directory(job.id());
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return {
        {},
        absl::UnavailableError(absl::StrCat("cannot make the job's directory '", directory, "': ", error.message()))};
  }
  Ending ending;
  if (fs::exists(absl::StrCat(directory, "/", kBundleName), error)) {
    // An earlier run wrote its bundle (which appears whole or not at all) but could not publish it.
    ending.report.mutable_finished();
    return ending;
  }
  v1::TrainerTask task;
  task.set_job_id(job.id());
  *task.mutable_spec() = job.spec();
  for (const std::string& each : options_.data_directories) task.add_data_directories(each);
  task.set_work_directory(directory);
  task.set_backend(options_.backend);
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
      {options_.trainer_program, options_.trainer_niceness, absl::StrCat(directory, "/", kLogName)}, task);
  if (!process.ok()) return {{}, process.status()};
  {
    absl::MutexLock lock(&mutex_);
    Running& running = running_[job.id()];
    running.process = process->get();
    if (running.cancelled || stopping_) StopTrainer(&running);
  }
  ending = Listen(job, process->get());
  const std::string how = (*process)->Reap(options_.stop_grace);
  {
    absl::MutexLock lock(&mutex_);
    running_[job.id()].process = nullptr;
  }
  const std::string log = (*process)->LogTail(kLogTailBytes);
  const std::string words = log.empty() ? "it wrote nothing to its log" : absl::StrCat("its last words: ", log);
  ending.error =
      absl::InternalError(ending.error.ok() ? absl::StrCat("the trainer ", how, " without a final report; ", words)
                                            : absl::StrCat(ending.error.message(), " and was stopped; ", words));
  return ending;
}

JobRunner::Ending JobRunner::Listen(const v1::Job& job, TrainerProcess* process) {
  Ending ending;
  ProgressFilter filter(absl::Now());
  for (;;) {
    v1::TrainerReport report;
    const absl::StatusOr<TrainerProcess::Event> event = process->Next(kPoll, &report);
    if (!event.ok()) {
      process->Kill();
      ending.error = event.status();
      return ending;
    }
    if (*event == TrainerProcess::Event::kEnd) return ending;
    {
      absl::MutexLock lock(&mutex_);
      const Running& running = running_[job.id()];
      if (absl::Now() >= running.kill_at) process->Kill();
      if (running.cancelled) continue;  // its events have ended
    }
    if (*event == TrainerProcess::Event::kNothingYet) continue;
    if (!report.has_progress()) {
      ending.report = std::move(report);
      continue;
    }
    metrics_->JobProgress(job.spec().model(), report.progress());
    if (!filter.Keep(report.progress(), absl::Now())) continue;
    const absl::Status status = journal_->Append(job.id(), ProgressEvent(report.progress(), absl::Now())).status();
    if (!status.ok() && !absl::IsFailedPrecondition(status)) {
      spdlog::warn("job {}: its progress was not stored: {}", job.id(), status.ToString());
    }
  }
}

void JobRunner::Publish(const v1::Job& job) {
  const absl::StatusOr<uint64_t> version =
      models_->Publish(job.spec().model(), absl::StrCat(Directory(job.id()), "/", kBundleName));
  if (version.ok()) {
    End(job, SucceededEvent(*version, absl::Now()));
  } else {
    End(job, FailedEvent(absl::Status(version.status().code(),
                                      absl::StrCat("the model was trained but could not be published: ",
                                                   version.status().message())),
                         absl::Now()));
  }
}

void JobRunner::Requeue(const std::string& id) {
  const absl::Status status = journal_->Append(id, StateEvent(v1::JOB_STATE_QUEUED, absl::Now())).status();
  if (!status.ok()) {
    spdlog::error("job {}: cannot be queued again: {}", id, status.ToString());
    return;
  }
  spdlog::info("job {}: interrupted, queued again", id);
  absl::MutexLock lock(&mutex_);
  if (!stopping_) queue_.push_back(id);
}

void JobRunner::End(const v1::Job& job, const v1::JobEvent& event) {
  const absl::Status status = journal_->Append(job.id(), event).status();
  if (!status.ok()) {
    spdlog::error("job {}: its end was not stored: {}", job.id(), status.ToString());
    return;
  }
  if (event.has_error()) {
    spdlog::error("job {}: failed: {}", job.id(), event.error().message());
  } else {
    spdlog::info("job {}: {}, model {} version {}", job.id(), JobStateName(event.state()), job.spec().model(),
                 event.model_version());
  }
  ClearDirectory(Directory(job.id()), /*keep_log=*/event.has_error());
}

}  // namespace kwta::server
