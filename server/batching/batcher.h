// Encodes or reconstructs the rows of many callers in batches.
//
// The batcher is greedy: while one batch computes, the next one gathers. Without BatcherOptions.linger there is no
// timer, and a lone request never waits for company.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/batching/batch_queue.h"
#include "server/batching/encode_queue.h"

namespace kwta::server {

// Callbacks of the batcher. Each may be empty. The computing thread calls them.
struct BatcherEvents {
  std::function<void(const ServedModel& model, int64_t rows, absl::Duration compute)> batch_done;
  std::function<void(const ServedModel& model, absl::Duration queued)> queue_left;  // once for each piece of a batch
  std::function<void(const ServedModelPtr& model, const RowsView& rows, const Codes& codes)> encoded;
  // Called before and after the batcher answers, one by one, the requests that a batch finished.
  std::function<void()> answering, answered;
};

// Thread-safe, except that batches run one at a time: either call Start, or have one thread call RunOneBatch.
class Batcher final : public EncodeQueue {
 public:
  Batcher(const BatcherOptions& options, BatcherEvents events, std::function<absl::Time()> now = absl::Now);
  // Drains.
  ~Batcher() override;

  // Encodes `work` and calls `done` exactly once; `done` must not block. A refused request gets its answer at once.
  // Others get it on the computing thread, or on the thread of a caller that takes their room. The deadline is checked
  // here, when a batch forms, and before the batch computes. Errors passed to `done`: RESOURCE_EXHAUSTED (queue full),
  // UNAVAILABLE (draining), DEADLINE_EXCEEDED, CANCELLED, and those of the encoder.
  void Submit(EncodeWork work, EncodeDone done) override;

  // Forms the next batch and computes it. Returns false if nothing waited.
  bool RunOneBatch();

  // Starts the computing thread. The encoder's backend spreads a batch over the processors.
  void Start();

  // What waits for a batch now.
  QueueSize Waiting() const;

  // Refuses new work. Returns when all accepted work is done.
  void Drain();

 private:
  void Loop();
  bool HasWorkOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !queue_.empty() || draining_; }
  bool BatchIsFullOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return draining_ || queue_.DueAt() == absl::InfinitePast();
  }
  // Returns how many rows were computed.
  int64_t Compute(const std::vector<BatchPiece>& taken);
  RowsView Gather(const std::vector<BatchPiece>& batch, int64_t rows);
  // Answers `request` with an error and drops its waiting rows.
  void Fail(const QueuedRequestPtr& request, const absl::Status& status);

  const BatcherEvents events_;
  const std::function<absl::Time()> now_;
  mutable absl::Mutex mutex_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  Tensor gathered_;  // used by the computing thread only
  std::thread thread_;
};

}  // namespace kwta::server
