// Implements the calls about jobs, without the transport.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/job_runner.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Thread-safe. Each method implements the call of the same name; service.proto says what it does.
class JobHandler {
 public:
  // REQUIRES: journal, runner and models outlive the handler. Data sets given by path are searched in data_directories.
  JobHandler(JobJournal* journal, JobRunner* runner, const ModelManager* models,
             std::vector<std::string> data_directories)
      : journal_(journal), runner_(runner), models_(models), data_directories_(std::move(data_directories)) {}

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
  absl::Status CheckDatasetIsUsable(const v1::DatasetRef& dataset) const;
  // Writes the version of the base model that is meant, and its hash, into the spec. Fails if the base does not fit the
  // request.
  absl::Status ResolveBase(const std::string& job_id, v1::JobSpec* spec) const;

  JobJournal* const journal_;
  JobRunner* const runner_;
  const ModelManager* const models_;
  const std::vector<std::string> data_directories_;
};

}  // namespace kwta::server
