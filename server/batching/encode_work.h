// The input and the results of the batcher.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/tensors/codes.h"
#include "core/tensors/tensor.h"
#include "server/models/served_model.h"

namespace kwta::server {

// One request: encode `rows` with `model`.
struct EncodeWork {
  ServedModelPtr model;
  RowsView rows;             // at least one, of the model's width, finite; the memory must stay until `done` was called
  int64_t k = 0;             // from model->encoder->ResolveK
  bool reconstruct = false;  // return reconstructions instead of codes
  absl::Time deadline = absl::InfiniteFuture();
  // Returns true once nobody waits for the answer. May be empty. Must be quick and thread-safe.
  std::function<bool()> cancelled;
  // Who made the request: callers share a model evenly.
  std::string caller;
  // Do not refuse the request because of its expected wait. Set for messages of a stream, since few of them are
  // unanswered at a time.
  bool patient = false;
  // Count batches for this request. If several requests of a batch set this, only the first counts the batch; see
  // EncodeResult.
  bool counts_batches = false;
};

struct EncodeResult {
  Codes codes;              // codes of its rows, or their reconstructions, f32 [rows, width]
  absl::Duration queued;    // from its arrival to the start of its first batch
  absl::Duration computed;  // summed over all batches it rode in
  int64_t batch_rows = 0;   // rows of the largest of these batches
  int64_t batches = 0;      // batches that this request counts, so that no batch is counted twice

  // Size of the codes or reconstructions.
  int64_t bytes() const { return CodeBytes(codes); }
};
using EncodeDone = std::function<void(absl::StatusOr<EncodeResult>)>;

// A request on its way through the batcher.
struct QueuedRequest {
  EncodeWork work;
  EncodeDone done;
  absl::Time arrived;
  int64_t next_row = 0;  // rows before it left the queue
  int64_t rows_done = 0;
  EncodeResult result;                      // the results computed so far
  std::pair<int64_t, uint64_t> place = {};  // its place in its FairLine, see there

  int64_t rows_left() const { return work.rows.rows - next_row; }
  int64_t bytes_left() const { return rows_left() * static_cast<int64_t>(work.rows.row_bytes()); }
  // CANCELLED or DEADLINE_EXCEEDED if nobody can use the answer any more, else OK.
  absl::Status Alive(absl::Time now) const;
};
using QueuedRequestPtr = std::shared_ptr<QueuedRequest>;

// Consecutive rows of one request that ride in one batch.
struct BatchPiece {
  QueuedRequestPtr request;
  int64_t begin = 0;
  int64_t rows = 0;
};

// A request that will not be computed any further, and the reason.
struct DeadRequest {
  QueuedRequestPtr request;
  absl::Status status;
};

}  // namespace kwta::server
