#include "server/batching/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "server/refusal.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

// What each limit counts, in the words of its refusal: unit, then flag.
constexpr char kRowWords[] = "rows wait (--max-queue-rows)";
constexpr char kByteWords[] = "bytes wait (--max-queue-bytes)";

// What stops a processor stops it for up to about this long, whatever computes.
constexpr absl::Duration kProcessorPause = absl::Milliseconds(5);

// A batch counts as at most this many times dearer than those before it, if that is longer than a pause: a machine that
// stood still meanwhile says nothing of the next batches. Where rows did become dearer, each batch says so again.
constexpr double kMostDearer = 8;

}  // namespace

absl::Status QueuedRequest::Alive(absl::Time now) const {
  if (work.cancelled && work.cancelled())
    return absl::CancelledError("the caller went away before its rows were encoded");
  if (now >= work.deadline) {
    return absl::DeadlineExceededError(
        absl::StrCat("the deadline passed after ", absl::FormatDuration(now - arrived),
                     " in the queue; nothing was computed past it: allow more time or send less"));
  }
  return absl::OkStatus();
}

absl::Status BatchQueue::Push(QueuedRequestPtr request, absl::Time now, std::vector<DeadRequest>* displaced) {
  const int64_t rows = request->rows_left();
  KWTA_RETURN_IF_ERROR(CheckWait(*request, now));
  KWTA_RETURN_IF_ERROR(MakeRoom(*request, &QueueSize::rows, rows, options_.max_queue_rows, kRowWords, now, displaced));
  KWTA_RETURN_IF_ERROR(MakeRoom(*request, &QueueSize::bytes, request->bytes_left(), options_.max_queue_bytes,
                                kByteWords, now, displaced));
  Count(*request, 1, rows);
  const ServedModel* model = request->work.model.get();
  FairLine& line = lines_[model];
  if (line.empty()) turns_.push_back(model);
  request->place.second = arrivals_++;
  line.Add(std::move(request));
  return absl::OkStatus();
}

absl::Duration BatchQueue::Cost(const ServedModel& model, int64_t rows, absl::Time now) const {
  const auto found = costs_.find(model.name);
  const absl::Duration measured = found == costs_.end() ? absl::ZeroDuration() : found->second.Of(rows);
  if (running_.model == nullptr || running_.model->name != model.name) return measured;
  const absl::Duration elapsed = now - running_.since;
  if (measured == absl::ZeroDuration()) return elapsed / running_.rows * rows;
  const absl::Duration expected = std::max(found->second.Of(running_.rows), kProcessorPause);
  return elapsed <= expected ? measured : absl::FDivDuration(elapsed, expected) * measured;
}

absl::Duration BatchQueue::WaitingCost(absl::Time now) const {
  absl::Duration sum;
  for (const auto& [model, line] : lines_) {
    const absl::Duration cost = Cost(*model, line.rows(), now);
    if (cost == absl::ZeroDuration()) return absl::InfiniteDuration();
    sum += cost;
  }
  return sum;
}

int64_t BatchQueue::RowsTogether(const ServedModel& model, absl::Time now) const {
  const absl::Duration full = Cost(model, options_.max_batch_rows, now);
  if (full <= options_.max_batch_time) return options_.max_batch_rows;
  const auto rows = static_cast<int64_t>(absl::FDivDuration(options_.max_batch_time, full) *
                                         static_cast<double>(options_.max_batch_rows));
  return std::min(std::max(rows, kAlwaysTogether), options_.max_batch_rows);
}

absl::Duration BatchQueue::ExpectedWait(const QueuedRequest& request, absl::Time now) const {
  const ServedModel* own = request.work.model.get();
  const auto line = lines_.find(own);
  const int64_t rows = request.rows_left();
  const int64_t until = line == lines_.end() ? rows : line->second.RowsUntilTaken(request.work.caller, rows);
  const int64_t turns = DivideUp(until, options_.max_batch_rows);
  absl::Duration wait = Cost(*own, until - rows, now);
  for (const auto& [model, other] : lines_) {
    if (model != own) wait += Cost(*model, std::min(other.rows(), turns * options_.max_batch_rows), now);
  }
  if (running_.model == nullptr) return wait;
  const absl::Duration rest = Cost(*running_.model, running_.rows, now) - (now - running_.since);
  return wait + std::max(rest, absl::ZeroDuration());
}

absl::Status BatchQueue::CheckWait(const QueuedRequest& request, absl::Time now) const {
  const bool is_short = total_.requests < kAlwaysQueued && total_.rows + request.rows_left() <= kAlwaysTogether;
  const bool may_be_long = !request.work.patient && !is_short;
  if (empty() || (!may_be_long && request.work.deadline == absl::InfiniteFuture())) return absl::OkStatus();
  const absl::Duration wait = ExpectedWait(request, now);
  if (may_be_long && wait > options_.max_queue_time) {
    return WithRetryAfter(
        Refused(Refusal::kQueueSeconds,
                absl::ResourceExhaustedError(
                    absl::StrCat("the queue is full: ", absl::FormatDuration(wait),
                                 " would pass until this request is computed, more than the limit of ",
                                 absl::FormatDuration(options_.max_queue_time), " (--max-queue-ms); try again later"))),
        wait);
  }
  if (now + wait >= request.work.deadline) {
    return Refused(Refusal::kDeadlineUnreachable,
                   absl::DeadlineExceededError(absl::StrCat("the deadline cannot be met: ", absl::FormatDuration(wait),
                                                            " would pass until this request is computed, and ",
                                                            absl::FormatDuration(request.work.deadline - now),
                                                            " are left; allow more time or send less")));
  }
  return absl::OkStatus();
}

absl::Status BatchQueue::MakeRoom(const QueuedRequest& request, int64_t QueueSize::*what, int64_t more, int64_t limit,
                                  const char* words, absl::Time now, std::vector<DeadRequest>* displaced) {
  const Refusal refusal = what == &QueueSize::rows ? Refusal::kQueueRows : Refusal::kQueueBytes;
  const auto full = [&](int64_t waiting) {
    return WithRetryAfter(Refused(refusal, absl::ResourceExhaustedError(absl::StrCat(
                                               "the queue is full: ", waiting, " ", words, " and ", more,
                                               " more would pass the limit of ", limit, "; try again later"))),
                          ExpectedWait(request, now));
  };
  while (total_.rows > 0 && more > limit - total_.*what) {
    QueuedRequestPtr other = NewestOfHeaviest(request.work.caller, what, more);
    if (other == nullptr) return full(total_.*what);
    absl::Status status = full(total_.*what);
    Remove(other);
    displaced->push_back({std::move(other), std::move(status)});
  }
  return absl::OkStatus();
}

// Returns null if no other caller would still have more waiting than `caller` with `more`.
QueuedRequestPtr BatchQueue::NewestOfHeaviest(const std::string& caller, int64_t QueueSize::*what, int64_t more) const {
  const auto own = usage_.find(caller);
  int64_t most = more + (own == usage_.end() ? 0 : own->second.*what);
  const std::string* heaviest = nullptr;
  for (const auto& [name, usage] : usage_) {
    if (name == caller || usage.*what <= most) continue;
    most = usage.*what;
    heaviest = &name;
  }
  if (heaviest == nullptr) return nullptr;
  QueuedRequestPtr newest;
  for (const auto& [model, line] : lines_) {
    QueuedRequestPtr candidate = line.NewestUntouched(*heaviest);
    if (candidate == nullptr || (newest != nullptr && candidate->place.second < newest->place.second)) continue;
    newest = std::move(candidate);
  }
  return newest;
}

std::vector<BatchPiece> BatchQueue::Take(absl::Time now, std::vector<DeadRequest>* dead) {
  std::vector<BatchPiece> batch;
  while (batch.empty() && !turns_.empty()) {
    const ServedModel* model = turns_.front();
    turns_.pop_front();
    FairLine& line = lines_[model];
    batch = TakeFrom(line, RowsTogether(*model, now), now, dead);
    if (line.empty()) {
      lines_.erase(model);
    } else {
      turns_.push_back(model);
    }
  }
  if (!batch.empty()) {
    running_ = {batch.front().request->work.model.get(), 0, now};
    for (const BatchPiece& piece : batch) running_.rows += piece.rows;
  }
  return batch;
}

std::vector<BatchPiece> BatchQueue::TakeFrom(FairLine& line, int64_t rows_together, absl::Time now,
                                             std::vector<DeadRequest>* dead) {
  std::vector<BatchPiece> batch;
  int64_t room = options_.max_batch_rows;
  for (auto it = line.requests().begin(); it != line.requests().end() && room > 0;) {
    QueuedRequestPtr request = it->second;
    ++it;  // before the request may leave its place
    if (absl::Status alive = request->Alive(now); !alive.ok()) {
      Count(*request, -1, -request->rows_left());
      line.Remove(request);
      dead->push_back({std::move(request), std::move(alive)});
      continue;
    }
    if (!batch.empty()) {
      const EncodeWork& first = batch.front().request->work;
      if (request->work.k != first.k || request->work.rows.dtype != first.rows.dtype ||
          request->work.reconstruct != first.reconstruct) {
        continue;
      }
      if (request->rows_left() > room && request->rows_left() <= options_.max_batch_rows) break;
    }
    const int64_t rows = std::min(request->rows_left(), room);
    if (batch.empty()) room = rows_together;
    batch.push_back({request, request->next_row, rows});
    room -= rows;
    Count(*request, rows == request->rows_left() ? -1 : 0, -rows);
    line.Take(request, rows);
    if (request->rows_left() > 0) break;
  }
  return batch;
}

void BatchQueue::Remove(const QueuedRequestPtr& request) {
  const auto found = lines_.find(request->work.model.get());
  if (found == lines_.end()) return;
  FairLine& line = found->second;
  if (!line.Remove(request)) return;
  Count(*request, -1, -request->rows_left());
  if (!line.empty()) return;
  turns_.erase(std::find(turns_.begin(), turns_.end(), found->first));
  lines_.erase(found);
}

void BatchQueue::Finished(int64_t rows, absl::Time now) {
  if (rows > 0) {
    ComputeCost& cost = costs_[running_.model->name];
    const absl::Duration expected = cost.Of(rows);
    const bool measured = expected > absl::ZeroDuration();
    const absl::Duration most = measured ? std::max(kMostDearer * expected, kProcessorPause) : absl::InfiniteDuration();
    cost.Add(rows, std::min(now - running_.since, most));
  }
  running_ = {};
}

absl::Time BatchQueue::DueAt() const {
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [model, line] : lines_) {
    if (line.rows() >= options_.max_batch_rows) return absl::InfinitePast();
    due = std::min(due, line.requests().begin()->second->arrived + options_.linger);
  }
  return due;
}

void BatchQueue::Count(const QueuedRequest& request, int64_t requests, int64_t rows) {
  const int64_t bytes = rows * static_cast<int64_t>(request.work.rows.row_bytes());
  const auto caller = usage_.try_emplace(request.work.caller).first;
  for (QueueSize* usage : {&total_, &caller->second}) {
    usage->requests += requests;
    usage->rows += rows;
    usage->bytes += bytes;
  }
  if (caller->second.requests == 0) usage_.erase(caller);
}

}  // namespace kwta::server
