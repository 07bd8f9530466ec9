#include "server/batching/batcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/compute_priority.h"
#include "server/refusal.h"

namespace kwta::server {

Batcher::Batcher(const BatcherOptions& options, BatcherEvents events, std::function<absl::Time()> now)
    : events_(std::move(events)), now_(std::move(now)), queue_(options) {}

Batcher::~Batcher() { Drain(); }

void Batcher::Submit(EncodeWork work, EncodeDone done) {
  auto request = std::make_shared<QueuedRequest>();
  request->work = std::move(work);
  request->done = std::move(done);
  request->arrived = now_();
  absl::Status status = request->Alive(request->arrived);
  std::vector<DeadRequest> displaced;
  if (status.ok()) {
    absl::MutexLock lock(&mutex_);
    const bool others_wait = !queue_.empty() && !keeps();
    status = draining_ ? Refused(Refusal::kDraining,
                                 absl::UnavailableError("the server is stopping; send the request to another one"))
                       : queue_.Push(request, request->arrived, &displaced);
    if (status.ok()) kept_ = !others_wait && MayKeep(request->arrived);
  }
  if (!status.ok()) request->done(std::move(status));
  for (const DeadRequest& each : displaced) each.request->done(each.status);
}

void Batcher::ComputeOnThisThread() {
  absl::MutexLock lock(&mutex_);
  submitter_ = std::this_thread::get_id();
}

bool Batcher::MayKeep(absl::Time now) const {
  return std::this_thread::get_id() == submitter_ && !queue_.running() && queue_.BatchIsDue(now) &&
         queue_.WaitingCost(now) <= kComputedBySubmitter;
}

void Batcher::RunKept() {
  while (keeps() && RunOneBatch()) {
  }
}

void Batcher::HandOverKept() {
  absl::MutexLock lock(&mutex_);
  kept_ = false;
}

bool Batcher::RunOneBatch() {
  std::vector<BatchPiece> batch;
  std::vector<DeadRequest> dead;
  const absl::Time now = now_();
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.empty() || queue_.running()) return false;
    batch = queue_.Take(now, &dead);
    if (queue_.empty()) kept_ = false;
  }
  for (const DeadRequest& each : dead) each.request->done(each.status);
  if (batch.empty()) return true;
  const int64_t computed = Compute(batch);
  const absl::Time end = now_();
  absl::MutexLock lock(&mutex_);
  queue_.Finished(computed, end);
  return true;
}

namespace {

// Encodes or reconstructs the rows of a batch, as `work` says.
absl::Status ComputeRows(const EncodeWork& work, const RowsView& x, Codes* computed) {
  const Encoder& encoder = *work.model->encoder;
  if (!work.reconstruct) return encoder.Encode(x, work.k, computed);
  return encoder.Reconstruct(x, work.k, DenseIn(computed, x.rows, encoder.reconstruction_width()));
}

// Moves rows begin .. begin + rows - 1, the next ones of a request, into its result.
void Take(Codes& computed, int64_t begin, int64_t rows, bool all, QueuedRequest* request) {
  Codes& codes = request->result.codes;
  if (all) {  // no copy
    std::swap(codes, computed);
    return;
  }
  if (request->rows_done == 0) codes = RoomFor(computed, request->work.rows.rows);
  CopyRows(computed, begin, rows, request->rows_done, &codes);
}

}  // namespace

int64_t Batcher::Compute(const std::vector<BatchPiece>& taken) {
  const absl::Time start = now_();
  // Check once more before the work, so that callers that went away in the meantime cost nothing.
  std::vector<BatchPiece> batch;
  for (const BatchPiece& piece : taken) {
    const absl::Status alive = piece.request->Alive(start);
    if (alive.ok()) {
      batch.push_back(piece);
    } else {
      Fail(piece.request, alive);
    }
  }
  if (batch.empty()) return 0;

  int64_t rows = 0;
  for (const BatchPiece& piece : batch) {
    rows += piece.rows;
    const absl::Duration queued = start - piece.request->arrived;
    if (piece.begin == 0) piece.request->result.queued = queued;
    if (events_.queue_left) events_.queue_left(*piece.request->work.model, queued);
  }
  const EncodeWork& first = batch.front().request->work;
  const RowsView x = Gather(batch, rows);
  Codes computed;
  const absl::Status status = ComputeRows(first, x, &computed);
  const absl::Duration compute = now_() - start;
  if (events_.batch_done) events_.batch_done(*first.model, rows, compute);
  if (!status.ok()) {
    for (const BatchPiece& piece : batch) Fail(piece.request, status);
    return 0;
  }
  if (events_.encoded && !first.reconstruct) events_.encoded(first.model, x, computed);

  if (events_.answering) events_.answering();
  int64_t begin = 0;
  bool counted = false;
  for (const BatchPiece& piece : batch) {
    QueuedRequest& request = *piece.request;
    if (request.work.counts_batches && !std::exchange(counted, true)) ++request.result.batches;
    request.result.computed += compute;
    request.result.batch_rows = std::max(request.result.batch_rows, rows);
    Take(computed, begin, piece.rows, piece.rows == rows && rows == request.work.rows.rows, &request);
    begin += piece.rows;
    request.rows_done += piece.rows;
    if (request.rows_done == request.work.rows.rows) request.done(std::move(request.result));
  }
  if (events_.answered) events_.answered();
  return rows;
}

RowsView Batcher::Gather(const std::vector<BatchPiece>& batch, int64_t rows) {
  const RowsView& first = batch.front().request->work.rows;
  if (batch.size() == 1) return first.Slice(batch.front().begin, rows);
  const int64_t bytes = rows * static_cast<int64_t>(first.row_bytes());
  if (gathered_.elements() < bytes) gathered_ = Tensor(DType::kU8, {bytes});
  char* out = static_cast<char*>(gathered_.data());
  for (const BatchPiece& piece : batch) {
    const size_t count = static_cast<size_t>(piece.rows) * first.row_bytes();
    std::memcpy(out, piece.request->work.rows.row(piece.begin), count);
    out += count;
  }
  return {first.dtype, gathered_.data(), rows, first.width};
}

void Batcher::Fail(const QueuedRequestPtr& request, const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    queue_.Remove(request);
  }
  request->done(status);
}

void Batcher::Start() {
  thread_ = std::thread([this] {
    LowerPriorityOfComputing();
    Loop();
  });
}

void Batcher::Loop() {
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Batcher::HasWorkOrDrains));
      // More requests may arrive meanwhile and shorten the wait.
      while (!draining_ && !queue_.BatchIsDue(now_())) {
        mutex_.AwaitWithDeadline(absl::Condition(this, &Batcher::BatchIsFullOrDrains), queue_.DueAt());
      }
      if (queue_.empty()) return;
    }
    RunOneBatch();
  }
}

QueueSize Batcher::Waiting() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void Batcher::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    kept_ = false;
  }
  if (thread_.joinable()) {
    thread_.join();
  } else {
    while (RunOneBatch()) {
    }
  }
}

}  // namespace kwta::server
