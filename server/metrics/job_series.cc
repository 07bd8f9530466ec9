#include "server/metrics/job_series.h"

#include <algorithm>
#include <utility>

namespace kwta::server {

void JobSeries::Count(const std::function<absl::StatusOr<JobCounts>()>& count) {
  absl::MutexLock counting(&counting_);
  const absl::StatusOr<JobCounts> counts = count();
  if (!counts.ok()) return;
  absl::MutexLock lock(&mutex_);
  counts_ = *counts;
}

void JobSeries::StoreWriteFailed() {
  absl::MutexLock lock(&mutex_);
  ++store_failures_;
}

void JobSeries::SetWaitingForStore(bool waiting) {
  absl::MutexLock lock(&mutex_);
  waiting_for_store_ = waiting;
}

void JobSeries::Started(const std::string& id, const std::string& model, absl::Duration waited, SteadyTime now) {
  queue_seconds_.Observe(std::max(absl::ToDoubleSeconds(waited), 0.0));
  absl::MutexLock lock(&mutex_);
  Running& job = running_[id];
  job = Running();
  job.model = model;
  job.order = ++starts_;
  job.started = job.reported = job.checkpoint = now;
}

void JobSeries::Progress(const std::string& id, const v1::TrainingProgress& progress, SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;  // stopped meanwhile
  Running& job = found->second;
  job.reported = now;
  if (progress.has_seconds_since_checkpoint()) {
    job.checkpoint = now + absl::Seconds(-progress.seconds_since_checkpoint());
  }
  job.progress = progress;
}

void JobSeries::Stopped(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  running_.erase(id);
}

void JobSeries::Collect(SteadyTime now, Collection* collection) const {
  collection->Add("kwta_job_queue_seconds", {}, queue_seconds_.Snapshot());
  absl::MutexLock lock(&mutex_);
  const std::pair<const char*, uint32_t> by_state[] = {{"queued", counts_.queued},
                                                       {"running", counts_.running},
                                                       {"succeeded", counts_.succeeded},
                                                       {"failed", counts_.failed},
                                                       {"cancelled", counts_.cancelled}};
  for (const auto& [state, jobs] : by_state) collection->Add("kwta_jobs", {{"state", state}}, jobs);
  collection->Add("kwta_jobs_waiting_for_store", {}, waiting_for_store_ ? 1 : 0);
  collection->Add("kwta_store_write_failures_total", {}, static_cast<double>(store_failures_));

  std::map<std::string, const Running*> shown;
  for (const auto& [id, job] : running_) {
    const Running*& of_model = shown[job.model];
    if (of_model == nullptr || of_model->order < job.order) of_model = &job;
  }
  for (const auto& [model, job] : shown) {
    const v1::TrainingProgress& progress = job->progress;
    const auto add = [&, model = &model](const char* family, double value) {
      collection->Add(family, {{"model", *model}}, value);
    };
    add("kwta_job_epoch", progress.epochs_done());
    add("kwta_job_epochs", progress.epochs());
    add("kwta_job_loss", progress.loss());
    add("kwta_job_fraction_variance_unexplained", progress.fraction_variance_unexplained());
    add("kwta_job_training_error", progress.training_error());
    add("kwta_job_k", progress.k());
    add("kwta_job_learning_rate", progress.learning_rate());
    add("kwta_job_images_per_second", progress.images_per_second());
    add("kwta_job_dead_units", static_cast<double>(progress.dead_units()));
    add("kwta_job_units", static_cast<double>(progress.units()));
    add("kwta_job_gradient_norm", progress.gradient_norm());
    add("kwta_job_processor_share", progress.has_processor_share() ? progress.processor_share() : 1);
    add("kwta_job_checkpoint_age_seconds", absl::ToDoubleSeconds(now - job->checkpoint));
    add("kwta_job_report_age_seconds", absl::ToDoubleSeconds(now - job->reported));
  }
}

}  // namespace kwta::server
