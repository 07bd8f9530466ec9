#include "server/batching/batch_lanes.h"

#include <algorithm>
#include <utility>

namespace kwta::server {
namespace {

BatcherEvents OneAtATime(BatcherEvents events, absl::Mutex* mutex) {
  if (events.encoded == nullptr) return events;
  events.encoded = [encoded = std::move(events.encoded), mutex](const ServedModelPtr& model, const RowsView& rows,
                                                                const Codes& codes) {
    absl::MutexLock lock(mutex);
    encoded(model, rows, codes);
  };
  return events;
}

BatcherOptions ForLanes(BatcherOptions options, int64_t lanes) {
  options.max_queue_rows = std::max<int64_t>(options.max_queue_rows / lanes, 1);
  options.max_queue_bytes = std::max<int64_t>(options.max_queue_bytes / lanes, 1);
  return options;
}

}  // namespace

BatchLanes::BatchLanes(const BatcherOptions& options, BatcherEvents events,
                       std::function<bool(const ServedModel&)> on_device)
    : on_device_(std::move(on_device)),
      processor_(options, on_device_ == nullptr ? events : OneAtATime(events, &encoded_)) {
  if (on_device_ == nullptr) return;
  for (size_t lane = 0; lane < kDeviceLanes; ++lane) {
    device_.push_back(std::make_unique<Batcher>(ForLanes(options, kDeviceLanes), OneAtATime(events, &encoded_)));
  }
}

void BatchLanes::Submit(EncodeWork work, EncodeDone done) {
  Batcher* lane = &processor_;
  if (!device_.empty() && !work.reconstruct && on_device_(*work.model)) {
    lane = device_[next_.fetch_add(1, std::memory_order_relaxed) % kDeviceLanes].get();
  }
  lane->Submit(std::move(work), std::move(done));
}

void BatchLanes::Start() {
  processor_.Start();
  for (const auto& lane : device_) lane->Start();
}

QueueSize BatchLanes::Waiting() const {
  QueueSize waiting = processor_.Waiting();
  for (const auto& lane : device_) {
    const QueueSize more = lane->Waiting();
    waiting.requests += more.requests;
    waiting.rows += more.rows;
    waiting.bytes += more.bytes;
  }
  return waiting;
}

void BatchLanes::Drain() {
  for (const auto& lane : device_) lane->Drain();
  processor_.Drain();
}

}  // namespace kwta::server
