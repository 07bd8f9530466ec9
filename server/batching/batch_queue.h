// Rows that wait to be encoded, and the rules by which they are let in and ride together.
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
  // Requests that would wait longer are refused while more than kAlwaysQueued wait.
  absl::Duration max_queue_time = absl::InfiniteDuration();
  // Requests ride together as long as what is known of the model lets their batch be done in this time: those that come
  // next wait for it.
  absl::Duration max_batch_time = absl::InfiniteDuration();
  // How long a batch that is not full waits for more.
  absl::Duration linger = absl::ZeroDuration();
};

// So many requests may wait however long it takes: a queue too short to keep the processors busy helps nobody.
inline constexpr int64_t kAlwaysQueued = 8;

// So many rows may always ride together: they share what a batch costs whatever its rows, such as reading the
// parameters.
inline constexpr int64_t kAlwaysTogether = 64;

// A line for each served version; they take turns, batch by batch. Not thread-safe.
class BatchQueue {
 public:
  explicit BatchQueue(const BatcherOptions& options) : options_(options) {}

  // Lets a request in. Errors: RESOURCE_EXHAUSTED naming the limit, with a RetryAfter; DEADLINE_EXCEEDED if what was
  // measured says that it cannot be met. A request larger than a limit is taken when nothing else waits. Where rows or
  // bytes run out, a caller that has fewer of them waiting than another takes the room of that one's newest requests,
  // which are put into `displaced`.
  absl::Status Push(QueuedRequestPtr request, absl::Time now, std::vector<DeadRequest>* displaced);

  // The next batch: pieces of one model, one k, one dtype and one kind of result, at most max_batch_rows rows, and
  // those of several requests no more than max_batch_time allows. A request is split only if it is larger than
  // max_batch_rows. Requests that died are removed and put into `dead`. Empty if nothing is left that lives.
  std::vector<BatchPiece> Take(absl::Time now, std::vector<DeadRequest>* dead);

  // Takes out what is left of `request`, if anything is.
  void Remove(const QueuedRequestPtr& request);

  // `rows` rows of a model took `compute`: what waiting times are estimated from.
  void Computed(const ServedModel& model, int64_t rows, absl::Duration compute);

  bool empty() const { return lines_.empty(); }
  int64_t rows() const { return total_.rows; }
  int64_t bytes() const { return total_.bytes; }
  // True if a batch gains nothing by waiting: one is full, or it has waited for options.linger.
  bool BatchIsDue(absl::Time now) const { return now >= DueAt(); }
  // When that will be so if nothing else arrives. InfiniteFuture if nothing waits.
  absl::Time DueAt() const;

 private:
  struct Usage {
    int64_t requests = 0, rows = 0, bytes = 0;
  };
  absl::Duration ExpectedWait(const QueuedRequest& request) const;
  absl::Status CheckWait(const QueuedRequest& request, absl::Time now) const;
  absl::Status MakeRoom(const QueuedRequest& request, int64_t Usage::*what, int64_t more, int64_t limit,
                        const char* words, std::vector<DeadRequest>* displaced);
  QueuedRequestPtr NewestOfHeaviest(const std::string& caller, int64_t Usage::*what, int64_t more) const;
  std::vector<BatchPiece> TakeFrom(FairLine& line, int64_t rows_together, absl::Time now,
                                   std::vector<DeadRequest>* dead);
  void Count(const QueuedRequest& request, int64_t requests, int64_t rows);
  // Zero if nothing is known of the model.
  absl::Duration Cost(const ServedModel& model, int64_t rows) const;
  // The most rows of several requests in a batch.
  int64_t RowsTogether(const ServedModel& model) const;

  const BatcherOptions options_;
  std::map<const ServedModel*, FairLine> lines_;  // none empty
  std::deque<const ServedModel*> turns_;          // the keys of lines_
  std::map<std::string, ComputeCost> costs_;      // by model
  std::map<std::string, Usage> usage_;            // by caller; none without requests
  Usage total_;
  uint64_t arrivals_ = 0;
};

}  // namespace kwta::server
