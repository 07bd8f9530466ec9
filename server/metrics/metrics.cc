#include "server/metrics/metrics.h"

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
  const auto add = [collection](const char* family, double value) { collection->Add(family, {}, value); };
  add("kwta_ready", gauges.ready ? 1 : 0);
  add("kwta_requests_in_flight", static_cast<double>(gauges.calls));
  add("kwta_requests_in_flight_limit", static_cast<double>(gauges.calls_limit));
  add("kwta_queue_requests", static_cast<double>(gauges.queue_requests));
  add("kwta_queue_rows", static_cast<double>(gauges.queue_rows));
  add("kwta_queue_rows_limit", static_cast<double>(gauges.queue_rows_limit));
  add("kwta_queue_bytes", static_cast<double>(gauges.queue_bytes));
  add("kwta_queue_bytes_limit", static_cast<double>(gauges.queue_bytes_limit));
  add("kwta_tls_certificate_expiry_seconds", certificate_expiry_);
  add("kwta_tls_files_refused", certificates_refused_ ? 1 : 0);
  collection->Add("kwta_build_info",
                  {{"version", version_}, {"backend", backend_}, {"instruction_set", instruction_set_}}, 1);
  const DiskSpace disk = gauges.state_directory.empty() ? DiskSpace() : ReadDiskSpace(gauges.state_directory);
  add("kwta_state_disk_free_bytes", disk.free_bytes);
  add("kwta_state_disk_size_bytes", disk.size_bytes);
  const ProcessStats process = ReadProcessStats();
  add("process_cpu_seconds_total", process.cpu_seconds);
  add("process_resident_memory_bytes", process.resident_bytes);
  add("process_virtual_memory_bytes", process.virtual_bytes);
  add("process_threads", process.threads);
  add("process_open_fds", process.open_fds);
  add("process_max_fds", process.max_fds);
  add("process_start_time_seconds", absl::ToDoubleSeconds(started_ - absl::UnixEpoch()));
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
