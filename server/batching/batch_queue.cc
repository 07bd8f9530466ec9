#include "server/batching/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {

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

absl::Status BatchQueue::Push(QueuedRequestPtr request) {
  const int64_t rows = request->work.rows.rows;
  const int64_t bytes = rows * static_cast<int64_t>(request->work.rows.row_bytes());
  const auto refuse = [](const char* flag, int64_t limit, int64_t waiting, int64_t more, const char* unit) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", waiting, " ", unit, " wait and ", more,
                                                     " more would pass the limit of ", limit, " (", flag,
                                                     "); try again later"));
  };
  if (rows_ > 0 && rows > options_.max_queue_rows - rows_) {
    return refuse("--max-queue-rows", options_.max_queue_rows, rows_, rows, "rows");
  }
  if (rows_ > 0 && bytes > options_.max_queue_bytes - bytes_) {
    return refuse("--max-queue-bytes", options_.max_queue_bytes, bytes_, bytes, "bytes");
  }
  rows_ += rows;
  bytes_ += bytes;
  const ServedModel* model = request->work.model.get();
  Queue& queue = queues_[model];
  if (queue.empty()) turns_.push_back(model);
  queue.push_back(std::move(request));
  return absl::OkStatus();
}

std::vector<BatchPiece> BatchQueue::Take(absl::Time now, std::vector<DeadRequest>* dead) {
  std::vector<BatchPiece> batch;
  while (batch.empty() && !turns_.empty()) {
    const ServedModel* model = turns_.front();
    turns_.pop_front();
    Queue& queue = queues_[model];
    batch = TakeFrom(queue, now, dead);
    if (queue.empty()) {
      queues_.erase(model);
    } else {
      turns_.push_back(model);
    }
  }
  return batch;
}

std::vector<BatchPiece> BatchQueue::TakeFrom(Queue& queue, absl::Time now, std::vector<DeadRequest>* dead) {
  std::vector<BatchPiece> batch;
  int64_t room = options_.max_batch_rows;
  for (auto it = queue.begin(); it != queue.end() && room > 0;) {
    QueuedRequestPtr request = *it;
    if (absl::Status alive = request->Alive(now); !alive.ok()) {
      Release(*request, request->rows_left());
      dead->push_back({std::move(request), std::move(alive)});
      it = queue.erase(it);
      continue;
    }
    if (!batch.empty()) {
      const EncodeWork& first = batch.front().request->work;
      if (request->work.k != first.k || request->work.rows.dtype != first.rows.dtype ||
          request->work.reconstruct != first.reconstruct) {
        ++it;
        continue;
      }
      if (request->rows_left() > room && request->rows_left() <= options_.max_batch_rows) break;
    }
    const int64_t rows = std::min(request->rows_left(), room);
    batch.push_back({request, request->next_row, rows});
    request->next_row += rows;
    room -= rows;
    Release(*request, rows);
    if (request->rows_left() > 0) break;  // the rest stays first in line
    it = queue.erase(it);
  }
  return batch;
}

void BatchQueue::Remove(const QueuedRequestPtr& request) {
  const auto found = queues_.find(request->work.model.get());
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  const auto position = std::find(queue.begin(), queue.end(), request);
  if (position == queue.end()) return;
  Release(*request, request->rows_left());
  queue.erase(position);
  if (!queue.empty()) return;
  turns_.erase(std::find(turns_.begin(), turns_.end(), found->first));
  queues_.erase(found);
}

void BatchQueue::Release(const QueuedRequest& request, int64_t rows) {
  rows_ -= rows;
  bytes_ -= rows * static_cast<int64_t>(request.work.rows.row_bytes());
}

}  // namespace kwta::server
