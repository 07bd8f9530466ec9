// The client library: every RPC of EncoderService as a typed, blocking call.
//
//   kwta::client::Client client({.address = "127.0.0.1:8500"});
//   auto result = client.Encode("fashion", tensor.rows());
//   if (!result.ok()) return result.status();
//   use(result->sparse());
//
// Thread-safe. One Client, and so one connection, serves any number of threads.
//
// Errors are the server's statuses with their messages (docs/api.md). A call also fails with UNAVAILABLE if the client
// cannot reach the server (IsNotReached), with DEADLINE_EXCEEDED if the server did not answer in time, and with
// INVALID_ARGUMENT for text that is not UTF-8, which cannot be sent. The client retries only UNAVAILABLE, with growing
// pauses, while attempts and time last (RetryOptions). All calls are safe to repeat except RollBackModel, which the
// client does not retry. A DeleteModel whose first answer was lost may report NOT_FOUND.
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
  // The first event to receive is after_sequence + 1; 0 asks for all.
  uint64_t after_sequence = 0;
  // How long to retry a server that was reached and then lost, for example by a restart.
  absl::Duration reconnect_for = absl::Minutes(1);
  // Called with the failure before each pause after which the client retries the server. May be empty.
  std::function<void(const absl::Status& lost)> on_lost;
};

class Client {
 public:
  explicit Client(Options options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Options& options() const;

  // Submits a job. The client replaces an empty job_id with a new one, so the call is safe to repeat.
  absl::StatusOr<v1::Job> Train(v1::TrainRequest request, const CallOptions& call = {});

  // Encodes rows ([rows, width] of u8, f16, bf16 or f32; tensor.rows() of a Tensor). Splits them into as many requests
  // as the limits require and joins the answers in order. Errors: also INVALID_ARGUMENT for rows that cannot be sent.
  absl::StatusOr<EncodeResult> Encode(const std::string& model, const RowsView& rows,
                                      const EncodeSettings& settings = {});

  // Encodes many rows over one stream, with up to settings.max_in_flight unanswered requests. Faster than Encode for
  // more rows than fit in one request. Calls on_batch in the calling thread with the codes, in order, and the number of
  // their first row. The first error, including one from on_batch, ends the call and is returned. After UNAVAILABLE the
  // stream resumes at the first unanswered row, so no row is delivered twice. DEADLINE_EXCEEDED if an answer takes
  // longer than settings.deadline.
  absl::Status EncodeStream(const std::string& model, const RowSource& source, const EncodeSettings& settings,
                            const std::function<absl::Status(int64_t first_row, EncodeResult codes)>& on_batch);

  // Encodes rows and decodes the codes; splits them as Encode does. Ignores settings.options.output.
  absl::StatusOr<ReconstructResult> Reconstruct(const std::string& model, const RowsView& rows,
                                                const EncodeSettings& settings = {});

  absl::StatusOr<v1::StatusResponse> ServerStatus(const CallOptions& call = {});

  // Calls on_event for each event of a job, in order, until the job ends or on_event returns false. Returns the last
  // event. If the connection is lost, or the stream ends before the job, continues after the last event received.
  absl::StatusOr<v1::JobEvent> WatchJob(const std::string& job_id, const WatchOptions& options,
                                        const std::function<bool(const v1::JobEvent&)>& on_event);

  // Lists jobs, newest first.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(const v1::ListJobsRequest& request = {}, const CallOptions& call = {});
  // Errors: NOT_FOUND.
  absl::StatusOr<v1::Job> GetJob(const std::string& job_id, const CallOptions& call = {});
  absl::StatusOr<v1::Job> CancelJob(const std::string& job_id, const CallOptions& call = {});

  absl::StatusOr<std::vector<v1::Model>> ListModels(const CallOptions& call = {});
  absl::StatusOr<v1::Model> GetModel(const std::string& model, const CallOptions& call = {});
  // Returns the classifier of a fine-tuned model; version 0 means the served one.
  absl::StatusOr<Classifier> GetClassifier(const std::string& model, uint64_t version, const CallOptions& call = {});
  // Loads a version, or the newest on disk (version 0). With `reload`, reloads a version in memory. Returns when it is
  // ready.
  absl::StatusOr<v1::ModelVersion> LoadModel(const std::string& model, uint64_t version, bool reload,
                                             const CallOptions& call = {});
  // Takes one version, or all (version 0), out of use until they are loaded; returns those versions.
  absl::StatusOr<std::vector<uint64_t>> UnloadModel(const std::string& model, uint64_t version,
                                                    const CallOptions& call = {});
  // Sets a label to a version, or removes it (version 0); returns the model.
  absl::StatusOr<v1::Model> SetModelLabel(const std::string& model, const std::string& label, uint64_t version,
                                          const CallOptions& call = {});
  // Serves again what was served before; returns the model.
  absl::StatusOr<v1::Model> RollBackModel(const std::string& model, const CallOptions& call = {});
  // Deletes one version, or all (version 0); returns those versions.
  absl::StatusOr<std::vector<uint64_t>> DeleteModel(const std::string& model, uint64_t version,
                                                    const CallOptions& call = {});

  // Lists the data sets that jobs can name, at most `limit` (0: the server's default).
  absl::StatusOr<v1::ListDatasetsResponse> ListDatasets(uint32_t limit = 0, const CallOptions& call = {});
  // Describes one data set. Errors: NOT_FOUND.
  absl::StatusOr<v1::DatasetInfo> GetDataset(const v1::DatasetRef& dataset, const CallOptions& call = {});
  // Deletes a data set of the server's own data directory, and returns the bytes of its files. If the first answer was
  // lost, it may report NOT_FOUND.
  absl::StatusOr<uint64_t> DeleteDataset(const v1::DatasetRef& dataset, const CallOptions& call = {});
  // Uploads a local file. Afterwards its own name refers to it, below the server's data directory. Calls on_progress,
  // which may be empty, with the bytes sent so far. Errors: NOT_FOUND if the file does not exist, INVALID_ARGUMENT if
  // it is not a regular file, PERMISSION_DENIED if it cannot be read.
  absl::StatusOr<v1::UploadDatasetResponse> UploadDataset(
      const std::string& path, const CallOptions& call = {},
      const std::function<void(uint64_t sent, uint64_t of)>& on_progress = {});

 private:
  const std::unique_ptr<Connection> connection_;
};

// True for SUCCEEDED, FAILED and CANCELLED.
bool IsFinal(v1::JobState state);

// True if a call ended with UNAVAILABLE because the server is away or not ready. False if a local file caused
// UNAVAILABLE.
bool IsNotReached(const absl::Status& status);

}  // namespace kwta::client
