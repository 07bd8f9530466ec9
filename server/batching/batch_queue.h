// The rows that wait to be encoded, and the rules that admit them and group them into batches.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/compute_cost.h"
#include "server/batching/encode_work.h"
#include "server/batching/fair_line.h"

namespace kwta::server {

struct BatcherOptions {
  int64_t max_batch_rows = 256;
  int64_t max_queue_rows = 4096;
  int64_t max_queue_bytes = int64_t{256} << 20;
  // A request that would wait longer is refused, unless the queue is short: see kAlwaysQueued.
  absl::Duration max_queue_time = absl::InfiniteDuration();
  // Requests share a batch as long as the model's measured cost says that the batch computes in this time, because the
  // requests that arrive next wait for it.
  absl::Duration max_batch_time = absl::InfiniteDuration();
  // How long a batch that is not full waits for more requests.
  absl::Duration linger = absl::ZeroDuration();
};

// This many rows may always share a batch: they share the costs that do not depend on rows, such as reading the
// parameters. With a model of 32,768 units these are a tenth of the time of such a batch.
inline constexpr int64_t kAlwaysTogether = 32;

// This many requests, of at most kAlwaysTogether rows in all, may wait however long it takes: a queue too short to keep
// the processors busy while a batch ends helps nobody.
inline constexpr int64_t kAlwaysQueued = 8;

// What waits, of all callers or of one.
struct QueueSize {
  int64_t requests = 0, rows = 0, bytes = 0;
};

// Each served version has its own line. The lines take turns, batch by batch. Not thread-safe.
class BatchQueue {
 public:
  explicit BatchQueue(const BatcherOptions& options) : options_(options) {}

  // Admits a request. A request larger than a limit is admitted when nothing else waits. If rows or bytes run out, a
  // caller that has fewer of them waiting than another takes the room of that caller's newest requests, which are put
  // into `displaced`. Errors: RESOURCE_EXHAUSTED naming the limit, with a RetryAfter; DEADLINE_EXCEEDED if the measured
  // cost says that the request cannot meet its deadline.
  absl::Status Push(QueuedRequestPtr request, absl::Time now, std::vector<DeadRequest>* displaced);

  // Returns the next batch. Its pieces have the same model, k, dtype and kind of result. It has at most max_batch_rows
  // rows; rows of several requests number no more than max_batch_time allows. A request is split only if it is larger
  // than max_batch_rows. Dead requests are moved into `dead`. Returns an empty batch if no live request is left. Until
  // Finished is called, requests that arrive are told to wait for the rest of this batch.
  std::vector<BatchPiece> Take(absl::Time now, std::vector<DeadRequest>* dead);

  // Removes what is left of `request`, if anything.
  void Remove(const QueuedRequestPtr& request);

  // The last batch taken was computed and answered. `rows` is how many of its rows were computed: 0 if it failed.
  // Waiting times are estimated from the time since it was taken.
  void Finished(int64_t rows, absl::Time now);

  bool empty() const { return lines_.empty(); }
  // A batch was taken and Finished was not called yet.
  bool running() const { return running_.model != nullptr; }
  // How long everything that waits will compute. InfiniteDuration if a model of it has not been measured yet.
  absl::Duration WaitingCost(absl::Time now) const;
  const QueueSize& size() const { return total_; }
  // True if a batch gains nothing by waiting: a batch is full, or one has waited for options.linger.
  bool BatchIsDue(absl::Time now) const { return now >= DueAt(); }
  // When BatchIsDue becomes true if nothing else arrives. InfiniteFuture if nothing waits.
  absl::Time DueAt() const;

 private:
  // The batch that computes.
  struct Running {
    const ServedModel* model = nullptr;  // null: none
    int64_t rows = 0;
    absl::Time since;
  };

  absl::Duration ExpectedWait(const QueuedRequest& request, absl::Time now) const;
  absl::Status CheckWait(const QueuedRequest& request, absl::Time now) const;
  absl::Status MakeRoom(const QueuedRequest& request, int64_t QueueSize::*what, int64_t more, int64_t limit,
                        const char* words, absl::Time now, std::vector<DeadRequest>* displaced);
  QueuedRequestPtr NewestOfHeaviest(const std::string& caller, int64_t QueueSize::*what, int64_t more) const;
  std::vector<BatchPiece> TakeFrom(FairLine& line, int64_t rows_together, absl::Time now,
                                   std::vector<DeadRequest>* dead);
  void Count(const QueuedRequest& request, int64_t requests, int64_t rows);
  // Zero if the model has not been measured yet. A batch that computes for longer than its model's cost shows that rows
  // have become dearer, unless what stopped it may be a pause of the processor.
  absl::Duration Cost(const ServedModel& model, int64_t rows, absl::Time now) const;
  // The most rows that a batch of several requests may have.
  int64_t RowsTogether(const ServedModel& model, absl::Time now) const;

  const BatcherOptions options_;
  std::map<const ServedModel*, FairLine> lines_;  // none empty
  std::deque<const ServedModel*> turns_;          // the keys of lines_
  std::map<std::string, ComputeCost> costs_;      // by model
  Running running_;
  std::map<std::string, QueueSize> usage_;  // by caller; none without requests
  QueueSize total_;
  uint64_t arrivals_ = 0;
};

}  // namespace kwta::server
