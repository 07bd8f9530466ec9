// Implements the calls of the Open Inference Protocol, without the transport.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "server/models/model_manager.h"
#include "server/oip/inference_statistics.h"
#include "server/services/encode_handler.h"

namespace kwta::server {

struct InferenceHandlerParts {
  ModelManager* models = nullptr;
  EncodeHandler* encode = nullptr;
  std::function<bool()> ready;
  std::string version;  // of the server
  int64_t max_message_bytes = 0;
  int64_t max_batch_rows = 0;
  // For requests that do not say it themselves.
  v1::NonFinite non_finite = v1::NON_FINITE_REFUSE;
};

// Thread-safe. Each method implements the call of the same name. Infer, Metadata and Config may wait for rows to be
// computed or for a version to be loaded again. REQUIRES: all parts outlive the handler.
class InferenceHandler {
 public:
  explicit InferenceHandler(InferenceHandlerParts parts) : parts_(std::move(parts)) {}

  bool Ready() const { return parts_.ready(); }
  bool ModelReady(const inference::ModelReadyRequest& request) const { return CheckModelReady(request).ok(); }
  // OK, or why the model cannot serve: NOT_FOUND, UNAVAILABLE.
  absl::Status CheckModelReady(const inference::ModelReadyRequest& request) const;
  inference::ServerMetadataResponse ServerMetadata() const;
  absl::StatusOr<inference::ModelMetadataResponse> ModelMetadata(const inference::ModelMetadataRequest& request);
  absl::StatusOr<inference::ModelConfigResponse> ModelConfig(const inference::ModelConfigRequest& request);
  // Makes the answer to a request whose rows have been computed, on a thread of the caller's choice.
  using MakeAnswer = std::function<absl::StatusOr<inference::ModelInferResponse>()>;
  // Moves the elements out of the request. Calls `done` once, perhaps at once, perhaps on the computing thread; it must
  // not block.
  void StartInfer(inference::ModelInferRequest* request, CallContext context, std::function<void(MakeAnswer)> done);
  // Does the same on a thread that may wait.
  absl::StatusOr<inference::ModelInferResponse> ModelInfer(inference::ModelInferRequest* request, CallContext context);
  // Returns the one message with which ModelStreamInfer answers request `id`. The message says that it is the last for
  // its request.
  static inference::ModelStreamInferResponse StreamResponse(const std::string& id,
                                                            absl::StatusOr<inference::ModelInferResponse> response);
  absl::StatusOr<inference::ModelStatisticsResponse> ModelStatistics(const inference::ModelStatisticsRequest& request);
  inference::RepositoryIndexResponse RepositoryIndex(const inference::RepositoryIndexRequest& request) const;
  absl::StatusOr<inference::RepositoryModelLoadResponse> Load(const inference::RepositoryModelLoadRequest& request);
  absl::StatusOr<inference::RepositoryModelUnloadResponse> Unload(
      const inference::RepositoryModelUnloadRequest& request);

 private:
  struct Inference;

  absl::StatusOr<inference::ModelInferResponse> Answer(const Inference& inference);
  // Checks, before anything is computed, that the model of the request can classify.
  absl::Status CheckHasClasses(const v1::EncodeRequest& request) const;

  const InferenceHandlerParts parts_;
  InferenceStatistics statistics_;
};

}  // namespace kwta::server
