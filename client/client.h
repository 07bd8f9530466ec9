// The client library: every RPC of EncoderService as a typed, blocking call.
//
//   kwta::client::Client client({.address = "127.0.0.1:8500"});
//   auto result = client.Encode("fashion", tensor.rows());
//   if (!result.ok()) return result.status();
//   use(result->sparse());
//
// Thread-safe; one Client, and so one connection, serves any number of threads.
//
// Errors are the server's statuses with their messages (docs/api.md); UNAVAILABLE if it cannot be reached
// (IsNotReached) and DEADLINE_EXCEEDED if it did not answer in time; INVALID_ARGUMENT for text that is not UTF-8, which
// cannot be sent. Calls are made again on UNAVAILABLE, with growing pauses, while attempts and time last
// (RetryOptions), and on nothing else. All calls are safe to repeat, except RollBackModel, which is not made again; a
// DeleteModel whose first answer was lost may report NOT_FOUND.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/encode_types.h"
#include "client/options.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {

class Connection;

struct WatchOptions {
  // First event wanted is after_sequence + 1; 0 wants all.
  uint64_t after_sequence = 0;
  // A server that was reached and then lost, by a restart say, is tried again for so long.
  absl::Duration reconnect_for = absl::Minutes(1);
  // Called before each pause after which the server is tried again, with what was the matter. May be empty.
  std::function<void(const absl::Status& lost)> on_lost;
};

class Client {
 public:
  explicit Client(Options options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Options& options() const;

  // Submits a job. An empty job_id is replaced by a new one, which makes the call safe to repeat.
  absl::StatusOr<v1::Job> Train(v1::TrainRequest request, const CallOptions& call = {});

  // Encodes rows ([rows, width] of u8, f16, bf16 or f32; tensor.rows() of a Tensor), split into as many requests as the
  // limits ask for and put together again in order. Errors: also INVALID_ARGUMENT for rows that cannot be sent.
  absl::StatusOr<EncodeResult> Encode(const std::string& model, const RowsView& rows,
                                      const EncodeSettings& settings = {});

  // Encodes many rows over one stream, up to settings.max_in_flight requests ahead of the answers: the faster way for
  // more rows than a request takes. on_batch gets the codes in order, in the calling thread, with the number of the
  // first row; the first error, its own included, ends the call and is returned. After UNAVAILABLE the stream goes on
  // at the first unanswered row, so that no row is delivered twice. DEADLINE_EXCEEDED if an answer takes longer than
  // settings.deadline.
  absl::Status EncodeStream(const std::string& model, const RowSource& source, const EncodeSettings& settings,
                            const std::function<absl::Status(int64_t first_row, EncodeResult codes)>& on_batch);

  // Encodes rows and decodes the codes; split as in Encode. settings.options.output is not used.
  absl::StatusOr<ReconstructResult> Reconstruct(const std::string& model, const RowsView& rows,
                                                const EncodeSettings& settings = {});

  absl::StatusOr<v1::StatusResponse> ServerStatus(const CallOptions& call = {});

  // Calls on_event for each event of a job, in order, until the job ends or on_event returns false; returns the last
  // event. If the connection is lost, or the stream ends before the job, goes on after the last event received.
  absl::StatusOr<v1::JobEvent> WatchJob(const std::string& job_id, const WatchOptions& options,
                                        const std::function<bool(const v1::JobEvent&)>& on_event);

  // Newest first.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(const v1::ListJobsRequest& request = {}, const CallOptions& call = {});
  // Errors: NOT_FOUND.
  absl::StatusOr<v1::Job> GetJob(const std::string& job_id, const CallOptions& call = {});
  absl::StatusOr<v1::Job> CancelJob(const std::string& job_id, const CallOptions& call = {});

  absl::StatusOr<std::vector<v1::Model>> ListModels(const CallOptions& call = {});
  absl::StatusOr<v1::Model> GetModel(const std::string& model, const CallOptions& call = {});
  // The classifier of a fine-tuned model; version 0 is the one that is served.
  absl::StatusOr<Classifier> GetClassifier(const std::string& model, uint64_t version, const CallOptions& call = {});
  // Loads a version, 0 being the newest on disk; with `reload`, also one that is in memory. Returns when it is ready.
  absl::StatusOr<v1::ModelVersion> LoadModel(const std::string& model, uint64_t version, bool reload,
                                             const CallOptions& call = {});
  // Takes one version, or with version 0 all of them, out of use until they are loaded; returns them.
  absl::StatusOr<std::vector<uint64_t>> UnloadModel(const std::string& model, uint64_t version,
                                                    const CallOptions& call = {});
  // Sets a label to a version, or with version 0 takes it away; returns the model.
  absl::StatusOr<v1::Model> SetModelLabel(const std::string& model, const std::string& label, uint64_t version,
                                          const CallOptions& call = {});
  // Serves what was served before; returns the model.
  absl::StatusOr<v1::Model> RollBackModel(const std::string& model, const CallOptions& call = {});
  // Deletes one version, or with version 0 all of them; returns those deleted.
  absl::StatusOr<std::vector<uint64_t>> DeleteModel(const std::string& model, uint64_t version,
                                                    const CallOptions& call = {});

  // Uploads a local file; it can be named by its own name below the server's data directory afterwards.
  // on_progress is called with the bytes sent so far; it may be empty. Errors: NOT_FOUND if it does not exist,
  // INVALID_ARGUMENT if it is no regular file, PERMISSION_DENIED if it cannot be read.
  absl::StatusOr<v1::UploadDatasetResponse> UploadDataset(
      const std::string& path, const CallOptions& call = {},
      const std::function<void(uint64_t sent, uint64_t of)>& on_progress = {});

 private:
  const std::unique_ptr<Connection> connection_;
};

// True for SUCCEEDED, FAILED and CANCELLED.
bool IsFinal(v1::JobState state);

// Whether a call ended with UNAVAILABLE: the server is away, or not ready. False for a local file that gave
// UNAVAILABLE.
bool IsNotReached(const absl::Status& status);

}  // namespace kwta::client
