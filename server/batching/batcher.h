// Encodes, or reconstructs, the rows of many callers in batches.
//
// Greedy: while one batch computes, the next gathers. Unless BatcherOptions.linger says so there is no timer, and a
// lone request never waits for company.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/batching/batch_queue.h"

namespace kwta::server {

// What the batcher tells; each may be empty. Called from the computing thread.
struct BatcherEvents {
  std::function<void(int64_t rows, absl::Duration compute)> batch_done;
  std::function<void(absl::Duration queued)> queue_left;  // once for each piece of a batch
  std::function<void(const ServedModel& model, const Codes& codes)> encoded;
  // Before and after the requests that a batch finished are answered, one after the other.
  std::function<void()> answering, answered;
};

// Thread-safe, except that batches run one at a time: either Start was called, or one thread calls RunOneBatch.
class Batcher {
 public:
  Batcher(const BatcherOptions& options, BatcherEvents events, std::function<absl::Time()> now = absl::Now);
  // Drains.
  ~Batcher();

  // Calls `done` exactly once: at once if the request is refused, else from the computing thread, or from that of a
  // caller who takes its room; `done` must not block. Errors given to it: RESOURCE_EXHAUSTED (queue full), UNAVAILABLE
  // (draining), DEADLINE_EXCEEDED, CANCELLED, and what the encoder gives. The deadline is checked here, when a batch
  // forms, and before it is computed.
  void Submit(EncodeWork work, EncodeDone done);

  // Forms the next batch and computes it. False if nothing waited.
  bool RunOneBatch();

  // Starts the thread that computes. The encoder's backend spreads a batch over the processors.
  void Start();

  // Refuses new work and returns when all accepted work is done.
  void Drain();

 private:
  void Loop();
  bool HasWorkOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !queue_.empty() || draining_; }
  bool BatchIsFullOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return draining_ || queue_.DueAt() == absl::InfinitePast();
  }
  void Compute(const std::vector<BatchPiece>& taken);
  RowsView Gather(const std::vector<BatchPiece>& batch, int64_t rows);
  // Answers with an error and forgets the rows that still wait.
  void Fail(const QueuedRequestPtr& request, const absl::Status& status);

  const BatcherEvents events_;
  const std::function<absl::Time()> now_;
  absl::Mutex mutex_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  Tensor gathered_;  // used by the computing thread only
  std::thread thread_;
};

}  // namespace kwta::server
