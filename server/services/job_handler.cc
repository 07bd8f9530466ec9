#include "server/services/job_handler.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/model_bundle.h"
#include "core/training/job_spec.h"

namespace kwta::server {
namespace {

constexpr uint32_t kDefaultJobs = 100;
constexpr uint32_t kMostJobs = 1000;

}  // namespace

absl::StatusOr<v1::TrainResponse> JobHandler::Train(const v1::TrainRequest& request) {
  if (!request.job_id().empty()) KWTA_RETURN_IF_ERROR(ValidateName("job_id", request.job_id()));
  v1::JobSpec spec = request.spec();
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&spec));
  const absl::ReaderMutexLock lock(&datasets_->submissions());
  KWTA_ASSIGN_OR_RETURN(const std::optional<int64_t> rows, datasets_->CheckIsUsable(spec.dataset()));
  if (rows.has_value()) KWTA_RETURN_IF_ERROR(CheckRowsSuffice(*rows, spec));
  if (spec.has_base()) KWTA_RETURN_IF_ERROR(ResolveBase(request.job_id(), &spec));
  v1::TrainResponse response;
  KWTA_ASSIGN_OR_RETURN(*response.mutable_job(), runner_->Submit(request.job_id(), spec));
  return response;
}

absl::Status JobHandler::ResolveBase(const std::string& job_id, v1::JobSpec* spec) const {
  v1::BaseModelRef* base = spec->mutable_base();
  if (!job_id.empty()) {
    // A repeated request means the same version as at first, whatever has happened to the base since.
    const absl::StatusOr<v1::Job> job = journal_->store().Get(job_id);
    if (job.ok() && job->spec().base().model() == base->model() &&
        (base->version() == 0 || base->version() == job->spec().base().version())) {
      *base = job->spec().base();
      return absl::OkStatus();
    }
  }
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo model, models_->Describe({base->model(), base->version()}));
  KWTA_RETURN_IF_ERROR(CheckFitsBase(*spec, model.description));
  KWTA_ASSIGN_OR_RETURN(const std::string hash, HashOfModelBundle(model.directory));
  if (!base->sha256().empty() && base->sha256() != hash) {
    return absl::FailedPreconditionError(
        absl::StrCat("base.sha256 is not that of model '", base->model(), "' version ", model.version,
                     ", which has changed; name another version, or leave sha256 out to take it as it is"));
  }
  base->set_version(model.version);
  base->set_sha256(hash);
  return absl::OkStatus();
}

absl::StatusOr<v1::ListJobsResponse> JobHandler::ListJobs(const v1::ListJobsRequest& request) {
  if (!v1::JobState_IsValid(request.state())) {
    return absl::InvalidArgumentError(absl::StrCat("state is ", static_cast<int>(request.state()), ", not a JobState"));
  }
  v1::ListJobsResponse response;
  if (!request.job_id().empty()) {
    KWTA_ASSIGN_OR_RETURN(v1::Job job, journal_->store().Get(request.job_id()));
    if (request.state() == v1::JOB_STATE_UNSPECIFIED || request.state() == job.state()) {
      *response.add_jobs() = std::move(job);
    }
    return response;
  }
  const uint32_t limit = request.limit() == 0 ? kDefaultJobs : std::min(request.limit(), kMostJobs);
  KWTA_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, journal_->store().List(request.state(), limit));
  response.mutable_jobs()->Add(jobs.begin(), jobs.end());
  return response;
}

absl::StatusOr<v1::CancelJobResponse> JobHandler::CancelJob(const v1::CancelJobRequest& request) {
  v1::CancelJobResponse response;
  KWTA_ASSIGN_OR_RETURN(*response.mutable_job(), runner_->Cancel(request.job_id()));
  return response;
}

}  // namespace kwta::server
