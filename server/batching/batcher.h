// Encodes or reconstructs the rows of many callers in batches.
//
// The batcher is greedy: while one batch computes, the next one gathers. Without BatcherOptions.linger there is no
// timer, and a lone request never waits for company.
#pragma once

#include <atomic>
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

// Callbacks of the batcher. Each may be empty. The thread that computes a batch calls them.
struct BatcherEvents {
  std::function<void(const ServedModel& model, int64_t rows, absl::Duration compute)> batch_done;
  std::function<void(const ServedModel& model, absl::Duration queued)> queue_left;  // once for each piece of a batch
  std::function<void(const ServedModelPtr& model, const RowsView& rows, const Codes& codes)> encoded;
  // Called before and after the batcher answers, one by one, the requests that a batch finished.
  std::function<void()> answering, answered;
};

// A batch that the measured cost says computes in this time may be computed by the thread that submitted it; see
// ComputeOnThisThread. To wake another thread and be woken by it takes about as long.
inline constexpr absl::Duration kComputedBySubmitter = absl::Microseconds(50);

// Thread-safe. Batches run one at a time.
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

  // Forms the next batch and computes it. Returns false if nothing waited, or another batch computes.
  bool RunOneBatch();

  // Has cheap batches computed by the calling thread, which submits most requests and is about to wait for more. From
  // now on what it alone submits, and computes in kComputedBySubmitter, is kept for it: the computing thread is not
  // woken. The calling thread must call RunKept, or HandOverKept, soon after it submits. At most one thread.
  void ComputeOnThisThread();
  // Whether anything is kept for that thread.
  bool keeps() const { return kept_.load(std::memory_order_relaxed); }
  // Computes what is kept. Call on that thread.
  void RunKept();
  // Leaves what is kept to the computing thread.
  void HandOverKept();

  // Starts the computing thread. The encoder's backend spreads a batch over the processors.
  void Start();

  // What waits for a batch now.
  QueueSize Waiting() const;

  // Refuses new work. Returns when all accepted work is done.
  void Drain();

 private:
  void Loop();
  bool HasWorkOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !queue_.running() && ((!queue_.empty() && !keeps()) || draining_);
  }
  bool BatchIsFullOrDrains() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return draining_ || queue_.DueAt() == absl::InfinitePast();
  }
  // Whether the calling thread may compute everything that waits; it has just submitted some of it.
  bool MayKeep(absl::Time now) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
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
  std::thread::id submitter_ ABSL_GUARDED_BY(mutex_);  // see ComputeOnThisThread
  // All that waits is kept for submitter_, and no batch of another thread computes. Written under mutex_.
  std::atomic<bool> kept_{false};
  Tensor gathered_;  // used by the thread that computes a batch
  std::thread thread_;
};

}  // namespace kwta::server
