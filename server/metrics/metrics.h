// Everything that the server measures, and /metrics. families.h names the families; each *_series file keeps those of
// one room.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/tensors/codes.h"
#include "server/metrics/call_series.h"
#include "server/metrics/connection_series.h"
#include "server/metrics/device_series.h"
#include "server/metrics/job_series.h"
#include "server/metrics/model_series.h"
#include "server/metrics/throughput_history.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Bytes of requests that are not whole, of all connections of a port.
struct HeldByPort {
  int64_t bytes = 0, limit = 0;
};

// What is measured at the moment of a scrape.
struct ServerGauges {
  bool ready = false;
  int64_t calls = 0, calls_limit = 0;
  int64_t queue_requests = 0;
  int64_t queue_rows = 0, queue_rows_limit = 0;
  int64_t queue_bytes = 0, queue_bytes_limit = 0;
  HeldByPort grpc_held, http_held;
  // Calls that wait for a thread: those that look up or record, and those that read or write files.
  int quick_calls_waiting = 0, slow_calls_waiting = 0, control_calls_limit = 0;
  int health_watchers = 0, health_watchers_limit = 0;
  std::string state_directory;  // empty: none
  DeviceGauges device;
};

// Thread-safe. Recording takes no lock that a scrape holds for long.
class Metrics {
 public:
  Metrics(absl::string_view version, absl::string_view backend, absl::Time started);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Records an answered call. Each request of a stream counts as a call. `seconds` is how long the answer took; it is
  // nullopt for a call whose caller chose its length. `subject` is what the call computed with.
  void CallDone(absl::string_view method, const absl::Status& status, std::optional<double> seconds,
                const RequestSubject& subject = {}) {
    calls_.Done(method, status, seconds, subject);
  }

  // Record what the batcher did with a version: rows left the queue, a batch was computed, its rows were encoded.
  static void QueueLeft(const ServedModel& model, double seconds);
  static void BatchDone(const ServedModel& model, int64_t rows, double compute_seconds);
  void RowsEncoded(const ServedModel& model, const Codes& codes);

  CallSeries& calls() { return calls_; }
  ModelSeries& models() { return models_; }
  JobSeries& jobs() { return jobs_; }
  ConnectionSeries& connections() { return connections_; }

  // The first records when the server's certificate expires, the second whether its current files are rejected.
  void SetCertificateExpiry(absl::Time expires);
  void SetCertificatesRefused(bool refused) { certificates_refused_ = refused; }

  uint64_t encode_requests() const { return calls_.encode_requests(); }
  uint64_t rows_encoded() const { return rows_encoded_.load(std::memory_order_relaxed); }

  // For pages that draw. Rows encoded in each of the last ThroughputHistory::kSeconds seconds, oldest first; how a
  // version uses its units, or nullopt if the version has no series.
  std::vector<uint64_t> RowsBySecond() const { return throughput_.RowsBySecond(SteadyTime::Now()); }
  std::optional<ModelActivity> Activity(const std::string& model, uint64_t version) const;

  // Returns the metrics in Prometheus's text format.
  std::string Render(const ServerGauges& gauges = {}) const;

 private:
  void CollectServer(const ServerGauges& gauges, Collection* collection) const;

  const std::string version_, backend_, instruction_set_;
  const absl::Time started_;
  ModelSeries models_;
  CallSeries calls_{&models_};
  JobSeries jobs_;
  ConnectionSeries connections_;
  ThroughputHistory throughput_{SteadyTime::Now()};
  std::atomic<uint64_t> rows_encoded_{0};
  std::atomic<double> certificate_expiry_{0};
  std::atomic<bool> certificates_refused_{false};
};

}  // namespace kwta::server
