#include "server/services/status_report.h"

#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "server/jobs/job_events.h"

namespace kwta::server {

absl::StatusOr<v1::StatusResponse> ReportStatus(const ServerFacts& facts, bool draining, const ModelManager& models,
                                                JobStore& jobs, const Metrics& metrics) {
  KWTA_ASSIGN_OR_RETURN(const JobCounts counts, jobs.Count());
  v1::StatusResponse response;
  response.set_kwta_version(facts.version);
  *response.mutable_started() = ToTimestamp(facts.started);
  response.set_draining(draining);
  response.set_backend(facts.backend);
  for (const std::string& feature : CpuFeatures()) response.add_cpu_features(feature);
  response.set_threads(static_cast<uint32_t>(facts.threads));
  response.set_http_address(facts.http_address);
  response.set_http_tls(facts.http_tls);
  response.set_models(static_cast<uint32_t>(models.size()));
  response.set_jobs_queued(counts.queued);
  response.set_jobs_running(counts.running);
  response.set_jobs_succeeded(counts.succeeded);
  response.set_jobs_failed(counts.failed);
  response.set_jobs_cancelled(counts.cancelled);
  response.set_encode_requests(metrics.encode_requests());
  response.set_rows_encoded(metrics.rows_encoded());
  response.set_max_message_bytes(static_cast<uint64_t>(facts.max_message_bytes));
  return response;
}

}  // namespace kwta::server
