// Implements the calls about jobs, without the transport.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/job_runner.h"
#include "server/models/model_manager.h"
#include "server/services/dataset_handler.h"

namespace kwta::server {

// Thread-safe. Each method implements the call of the same name; service.proto says what it does.
class JobHandler {
 public:
  // REQUIRES: all of them outlive the handler.
  JobHandler(JobJournal* journal, JobRunner* runner, const ModelManager* models, DatasetHandler* datasets)
      : journal_(journal), runner_(runner), models_(models), datasets_(datasets) {}

  absl::StatusOr<v1::TrainResponse> Train(const v1::TrainRequest& request);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request);
  absl::StatusOr<v1::CancelJobResponse> CancelJob(const v1::CancelJobRequest& request);
  // WatchJob's parts; see JobJournal.
  absl::StatusOr<JobJournal::News> NewsOf(const v1::WatchJobRequest& request) {
    return journal_->NewsOf(request.job_id(), request.after_sequence());
  }
  JobJournal::Following Follow(const std::string& job_id, std::function<void()> changed) {
    return journal_->Follow(job_id, std::move(changed));
  }

 private:
  // Writes the version of the base model that is meant, and its hash, into the spec. Fails if the base does not fit the
  // request.
  absl::Status ResolveBase(const std::string& job_id, v1::JobSpec* spec) const;

  JobJournal* const journal_;
  JobRunner* const runner_;
  const ModelManager* const models_;
  DatasetHandler* const datasets_;
};

}  // namespace kwta::server
