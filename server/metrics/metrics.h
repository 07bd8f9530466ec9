// Every metric that the server exports. Names, labels and buckets are defined only here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/tensors/codes.h"
#include "kwta/v1/job.pb.h"
#include "server/jobs/job_counts.h"

namespace kwta::server {

// Number of rows over which kwta_dead_units counts.
inline constexpr int64_t kActivityWindowRows = 10000;

// Thread-safe.
class Metrics {
 public:
  Metrics(absl::string_view version, absl::string_view backend, absl::Time started);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Records an answered call. Each request of a stream counts as a call. `seconds` is how long the answer took; it is
  // nullopt for a call whose caller chose its length.
  void CallDone(absl::string_view method, absl::StatusCode code, std::optional<double> seconds);

  // Records a computed batch.
  void BatchDone(int64_t rows, double compute_seconds);
  // Records that a request, or the part of it in a batch, left the queue.
  void QueueLeft(double seconds);
  // Records the codes of rows that `model` encoded. Activity is counted for the newest version that encoded.
  void RowsEncoded(const std::string& model, uint64_t version, const Codes& codes);

  void SetJobs(const JobCounts& counts);
  // The first records that a write to the job store or a publication failed, the second whether jobs wait for it now.
  void StoreWriteFailed();
  void SetWaitingForStore(bool waiting);
  // Records a report of a running job of `model`, or that the job no longer runs.
  void JobProgress(const std::string& model, const v1::TrainingProgress& progress);
  void JobStopped(const std::string& model);

  void SetModelVersion(const std::string& model, uint64_t version);
  // Removes every series labelled with `model`.
  void ModelRemoved(const std::string& model);
  // Sets how many versions of `model` are in each state (states not in the map have none) and the parameters in memory.
  void SetModelVersions(const std::string& model, const std::map<std::string, int>& by_state, int64_t memory_bytes);
  // Sets how many parts of `model` are set aside because they cannot be read.
  void SetModelProblems(const std::string& model, int problems);
  void ModelLoaded(double seconds);
  void ModelEvicted(const std::string& model);
  // The first records when the server's certificate expires, the second whether its current files are rejected.
  void SetCertificateExpiry(absl::Time expires);
  void SetCertificatesRefused(bool refused);
  // The first records how many connections the gRPC port has, the others that it refused or ended one. `reason` is one
  // of a few words.
  void SetConnections(int open);
  void ConnectionRefused(const char* reason);
  void ConnectionEnded(const char* reason);
  // Records that a bundle could not be loaded.
  void ModelLoadFailed(absl::StatusCode code);

  uint64_t encode_requests() const;
  uint64_t rows_encoded() const;

  // Returns the metrics in Prometheus's text format.
  std::string Render();

 private:
  struct Families;
  const std::unique_ptr<Families> families_;
};

}  // namespace kwta::server
