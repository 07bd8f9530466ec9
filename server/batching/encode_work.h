// What the batcher is asked to do and what it gives.
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
  bool reconstruct = false;  // give reconstructions instead of codes
  absl::Time deadline = absl::InfiniteFuture();
  // True once nobody waits for the answer. May be empty. Must be quick and thread-safe.
  std::function<bool()> cancelled;
  // Whose request it is: callers share a model evenly.
  std::string caller;
  // Not refused for the time that it would wait: a message of a stream, of which few are unanswered at a time.
  bool patient = false;
  // Of the requests of a batch that say so, the first counts the batch: see EncodeResult.
  bool counts_batches = false;
};

struct EncodeResult {
  Codes codes;              // of its rows; or their reconstructions, f32 [rows, width]
  absl::Duration queued;    // from its arrival to the start of its first batch
  absl::Duration computed;  // of all batches it rode in
  int64_t batch_rows = 0;   // of the largest of them
  int64_t batches = 0;      // of them, those that this request counts: so no batch is counted twice

  // Of the codes or reconstructions.
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
  EncodeResult result;                      // what was computed so far
  std::pair<int64_t, uint64_t> place = {};  // in its FairLine, see there

  int64_t rows_left() const { return work.rows.rows - next_row; }
  int64_t bytes_left() const { return rows_left() * static_cast<int64_t>(work.rows.row_bytes()); }
  // CANCELLED or DEADLINE_EXCEEDED if nobody can use the answer any more.
  absl::Status Alive(absl::Time now) const;
};
using QueuedRequestPtr = std::shared_ptr<QueuedRequest>;

// Consecutive rows of a request that ride in one batch.
struct BatchPiece {
  QueuedRequestPtr request;
  int64_t begin = 0;
  int64_t rows = 0;
};

// A request that is not computed any further, and why.
struct DeadRequest {
  QueuedRequestPtr request;
  absl::Status status;
};

}  // namespace kwta::server
