// Every metric that the server exports: names, labels and buckets are here and nowhere else.
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

// Rows over which kwta_dead_units counts.
inline constexpr int64_t kActivityWindowRows = 10000;

// Thread-safe.
class Metrics {
 public:
  Metrics(absl::string_view version, absl::string_view backend, absl::Time started);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A call was answered; each request of a stream counts as a call. `seconds` is how long that took, nullopt for a call
  // whose caller chose how long it lasts.
  void CallDone(absl::string_view method, absl::StatusCode code, std::optional<double> seconds);

  // A batch was computed.
  void BatchDone(int64_t rows, double compute_seconds);
  // A request, or the part of it that was in a batch, left the queue.
  void QueueLeft(double seconds);
  // Rows of `model` got these codes. Activity is counted for the newest version that encoded.
  void RowsEncoded(const std::string& model, uint64_t version, const Codes& codes);

  void SetJobs(const JobCounts& counts);
  // A write to the job store or a publication failed; or whether jobs wait for that at present.
  void StoreWriteFailed();
  void SetWaitingForStore(bool waiting);
  // A running job of `model` reported; or it does not run any more.
  void JobProgress(const std::string& model, const v1::TrainingProgress& progress);
  void JobStopped(const std::string& model);

  void SetModelVersion(const std::string& model, uint64_t version);
  // Forgets everything labelled with `model`.
  void ModelRemoved(const std::string& model);
  // Versions of `model` in each state, those that are not there being zero, and the parameters of those in memory.
  void SetModelVersions(const std::string& model, const std::map<std::string, int>& by_state, int64_t memory_bytes);
  // What is set aside of `model` because it cannot be read.
  void SetModelProblems(const std::string& model, int problems);
  void ModelLoaded(double seconds);
  void ModelEvicted(const std::string& model);
  // Of the server's certificate; and whether its files, as they are now, are not taken.
  void SetCertificateExpiry(absl::Time expires);
  void SetCertificatesRefused(bool refused);
  // A bundle could not be loaded.
  void ModelLoadFailed(absl::StatusCode code);

  uint64_t encode_requests() const;
  uint64_t rows_encoded() const;

  // The text format that Prometheus reads.
  std::string Render();

 private:
  struct Families;
  const std::unique_ptr<Families> families_;
};

}  // namespace kwta::server
