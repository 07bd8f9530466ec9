// Rows that wait to be encoded, and the rule by which they ride together.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"
#include "server/models/model_manager.h"

namespace kwta::server {

struct BatcherOptions {
  int64_t max_batch_rows = 256;
  int64_t max_queue_rows = 4096;
  int64_t max_queue_bytes = int64_t{256} << 20;
};

// One request: encode `rows` with `model`.
struct EncodeWork {
  ServedModelPtr model;
  RowsView rows;             // at least one, of the model's width, finite; the memory must stay until `done` was called
  int64_t k = 0;             // from model->encoder->ResolveK
  bool reconstruct = false;  // give reconstructions instead of codes
  absl::Time deadline = absl::InfiniteFuture();
  // True once nobody waits for the answer. May be empty. Must be quick and thread-safe.
  std::function<bool()> cancelled;
};

struct EncodeResult {
  SparseCodes codes;         // empty if the encoder's codes are dense or reconstructions were asked for
  std::vector<float> dense;  // else [rows, width] of a dense code or of a reconstruction
  absl::Duration queued;     // from its arrival to the start of its first batch
  absl::Duration computed;   // of all batches it rode in
  int64_t batch_rows = 0;    // of the largest of them
};
using EncodeDone = std::function<void(absl::StatusOr<EncodeResult>)>;

// A request on its way through the batcher.
struct QueuedRequest {
  EncodeWork work;
  EncodeDone done;
  absl::Time arrived;
  int64_t next_row = 0;  // rows before it left the queue
  int64_t rows_done = 0;
  EncodeResult result;  // what was computed so far

  int64_t rows_left() const { return work.rows.rows - next_row; }
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

// A request that nobody waits for any more, and why.
struct DeadRequest {
  QueuedRequestPtr request;
  absl::Status status;
};

// A queue for each served version, taking turns. Not thread-safe.
class BatchQueue {
 public:
  explicit BatchQueue(const BatcherOptions& options) : options_(options) {}

  // Errors: RESOURCE_EXHAUSTED naming the limit. A request larger than a limit is taken when nothing else waits.
  absl::Status Push(QueuedRequestPtr request);

  // The next batch: pieces of one model, one k, one dtype and one kind of result, in order of arrival, at most
  // max_batch_rows rows. A request is split only if it is larger than a batch. Requests that died are removed and put
  // into `dead`. Empty if nothing is left that lives.
  std::vector<BatchPiece> Take(absl::Time now, std::vector<DeadRequest>* dead);

  // Takes out what is left of `request`, if anything is.
  void Remove(const QueuedRequestPtr& request);

  bool empty() const { return queues_.empty(); }
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }

 private:
  using Queue = std::list<QueuedRequestPtr>;
  std::vector<BatchPiece> TakeFrom(Queue& queue, absl::Time now, std::vector<DeadRequest>* dead);
  void Release(const QueuedRequest& request, int64_t rows);

  const BatcherOptions options_;
  std::map<const ServedModel*, Queue> queues_;  // none empty
  std::deque<const ServedModel*> turns_;        // the keys of queues_
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace kwta::server
