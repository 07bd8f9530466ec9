// Implements Encode, EncodeStream and Reconstruct, without the transport.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kwta/v1/service.pb.h"
#include "server/batching/encode_queue.h"
#include "server/metrics/call_series.h"
#include "server/models/model_manager.h"
#include "server/security/quota.h"

namespace kwta::server {

// The caller of a request.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // see EncodeWork, here and below
  std::string caller;
  bool patient = false;
  bool counts_batches = false;
  std::shared_ptr<Quota> row_quota;  // null: unlimited
  // Where the handler says which version the request uses; null: nowhere. It must stay until the request is done.
  RequestSubject* subject = nullptr;
};

// The batcher's result for a request.
struct EncodedRows {
  ServedModelPtr model;
  EncodeResult result;
  v1::OutputMode output = v1::OUTPUT_MODE_DENSE;  // the resolved layout, never OUTPUT_MODE_UNSPECIFIED
  int64_t zeroed = 0;                             // elements of the input that were not finite and counted as zero
};
using EncodedRowsDone = std::function<void(absl::StatusOr<EncodedRows>)>;

// Any thread may start a request. `done` is called once, perhaps at once, perhaps on the computing thread, and must not
// block. The caller then finishes the request on a thread of its choice. Thread-safe.
class EncodeHandler {
 public:
  // REQUIRES: models and batcher outlive the handler.
  EncodeHandler(ModelManager* models, EncodeQueue* batcher, int64_t max_message_bytes)
      : models_(models), batcher_(batcher), max_message_bytes_(max_message_bytes) {}

  // REQUIRES: the request stays valid until `done` was called.
  void Start(const v1::EncodeRequest& request, CallContext context, EncodedRowsDone done);
  void Start(const v1::ReconstructRequest& request, CallContext context, EncodedRowsDone done);

  // Does the same on a thread that may wait.
  template <typename Request>
  absl::StatusOr<EncodedRows> Wait(const Request& request, CallContext context);

  // Sets every field of the response to a started request, or returns why there is none. The response may hold an
  // earlier answer, whose memory is reused. Errors: the one passed to `done`, and those of ConvertCodes; do not send
  // the response after an error.
  static absl::Status Finish(const absl::StatusOr<EncodedRows>& rows, v1::EncodeResponse* response);
  static absl::StatusOr<v1::ReconstructResponse> FinishReconstruct(const absl::StatusOr<EncodedRows>& rows);

 private:
  template <typename Request>
  void StartRequest(const Request& request, CallContext context, EncodedRowsDone done);
  template <typename Request>
  void StartWith(ServedModelPtr served, const Request& request, CallContext context, EncodedRowsDone done);

  ModelManager* const models_;
  EncodeQueue* const batcher_;
  const int64_t max_message_bytes_;
};

}  // namespace kwta::server
