#include "server/metrics/metrics.h"

#include <utility>

#include "core/simd/instruction_sets.h"
#include "server/metrics/collection.h"
#include "server/metrics/process_stats.h"

namespace kwta::server {

Metrics::Metrics(absl::string_view version, absl::string_view backend, absl::Time started)
    : version_(version),
      backend_(backend),
      instruction_set_(simd::InstructionSetName(simd::AvailableInstructionSets().front())),
      started_(started) {}

void Metrics::QueueLeft(const ServedModel& model, double seconds) {
  if (model.use != nullptr) model.use->times().queue_seconds.Observe(seconds);
}

void Metrics::BatchDone(const ServedModel& model, int64_t rows, double compute_seconds) {
  if (model.use == nullptr) return;
  model.use->times().batch_rows.Observe(static_cast<double>(rows));
  model.use->times().compute_seconds.Observe(compute_seconds);
}

void Metrics::RowsEncoded(const ServedModel& model, const Codes& codes) {
  const int64_t rows = CodeRows(codes);
  rows_encoded_.fetch_add(static_cast<uint64_t>(rows), std::memory_order_relaxed);
  throughput_.Add(rows, SteadyTime::Now());
  if (model.use != nullptr) model.use->Encoded(codes);
}

void Metrics::SetCertificateExpiry(absl::Time expires) {
  certificate_expiry_ = absl::ToDoubleSeconds(expires - absl::UnixEpoch());
  certificates_refused_ = false;
}

std::optional<ModelActivity> Metrics::Activity(const std::string& model, uint64_t version) const {
  const std::shared_ptr<const ModelUse> use = models_.Find(model, version);
  if (use == nullptr) return std::nullopt;
  return use->Activity();
}

void Metrics::CollectServer(const ServerGauges& gauges, Collection* collection) const {
  const DiskSpace disk = gauges.state_directory.empty() ? DiskSpace() : ReadDiskSpace(gauges.state_directory);
  const ProcessStats process = ReadProcessStats();
  const std::pair<const char*, double> values[] = {
      {"kwta_ready", gauges.ready ? 1 : 0},
      {"kwta_requests_in_flight", gauges.calls},
      {"kwta_requests_in_flight_limit", gauges.calls_limit},
      {"kwta_queue_requests", gauges.queue_requests},
      {"kwta_queue_rows", gauges.queue_rows},
      {"kwta_queue_rows_limit", gauges.queue_rows_limit},
      {"kwta_queue_bytes", gauges.queue_bytes},
      {"kwta_queue_bytes_limit", gauges.queue_bytes_limit},
      {"kwta_control_calls_waiting_limit", gauges.control_calls_limit},
      {"kwta_health_watchers", gauges.health_watchers},
      {"kwta_health_watchers_limit", gauges.health_watchers_limit},
      {"kwta_tls_certificate_expiry_seconds", certificate_expiry_.load()},
      {"kwta_tls_files_refused", certificates_refused_ ? 1 : 0},
      {"kwta_state_disk_free_bytes", disk.free_bytes},
      {"kwta_state_disk_size_bytes", disk.size_bytes},
      {"process_cpu_seconds_total", process.cpu_seconds},
      {"process_resident_memory_bytes", process.resident_bytes},
      {"process_virtual_memory_bytes", process.virtual_bytes},
      {"process_threads", process.threads},
      {"process_open_fds", process.open_fds},
      {"process_max_fds", process.max_fds},
      {"process_start_time_seconds", absl::ToDoubleSeconds(started_ - absl::UnixEpoch())}};
  for (const auto& [family, value] : values) collection->Add(family, {}, value);
  for (const auto& [port, held] :
       {std::pair(Port::kGrpc, gauges.grpc_held), std::pair(Port::kHttp, gauges.http_held)}) {
    const SampleLabels labels = {{"port", PortName(port)}};
    collection->Add("kwta_connections_held_bytes", labels, static_cast<double>(held.bytes));
    collection->Add("kwta_connections_held_bytes_limit", labels, static_cast<double>(held.limit));
  }
  CollectDevice(gauges.device, collection);
  collection->Add("kwta_control_calls_waiting", {{"kind", "quick"}}, gauges.quick_calls_waiting);
  collection->Add("kwta_control_calls_waiting", {{"kind", "slow"}}, gauges.slow_calls_waiting);
  collection->Add("kwta_build_info",
                  {{"version", version_}, {"backend", backend_}, {"instruction_set", instruction_set_}}, 1);
}

std::string Metrics::Render(const ServerGauges& gauges) const {
  Collection collection;
  calls_.Collect(&collection);
  models_.Collect(&collection);
  jobs_.Collect(SteadyTime::Now(), &collection);
  connections_.Collect(&collection);
  CollectServer(gauges, &collection);
  return std::move(collection).Text();
}

}  // namespace kwta::server
