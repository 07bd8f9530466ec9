#include "server/services/status_report.h"

#include "core/base/cpu.h"
#include "core/base/utf8.h"
#include "server/jobs/job_events.h"

namespace kwta::server {

namespace {

v1::DeviceStatus ToMessage(const DeviceState& state) {
  v1::DeviceStatus device;
  device.set_name(ToUtf8(state.name));
  device.set_failure(ToUtf8(state.failure.message()));
  device.set_memory_bytes(static_cast<uint64_t>(state.memory_bytes));
  device.set_used_bytes(static_cast<uint64_t>(state.used_bytes));
  device.set_models_bytes(static_cast<uint64_t>(state.models_bytes));
  device.set_models_bytes_limit(static_cast<uint64_t>(state.models_bytes_limit));
  return device;
}

}  // namespace

v1::StatusResponse ReportStatus(const ServerFacts& facts, bool draining, const ModelManager& models, JobStore& jobs,
                                const absl::Status& store_trouble, const Metrics& metrics,
                                const std::optional<DeviceState>& device) {
  const absl::StatusOr<JobCounts> counted = jobs.Count();
  const JobCounts counts = counted.ok() ? *counted : JobCounts();
  const absl::Status& trouble = counted.ok() ? store_trouble : counted.status();
  v1::StatusResponse response;
  if (!trouble.ok()) response.set_waiting_for_store(ToUtf8(trouble.message()));
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
  if (device.has_value()) *response.mutable_device() = ToMessage(*device);
  return response;
}

}  // namespace kwta::server
