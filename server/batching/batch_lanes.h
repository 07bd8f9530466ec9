// Lanes of batches: one for the models that processors encode, and several for those that a device does, so that it has
// the next batch while it computes one, and neither waits for the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "server/batching/batcher.h"

namespace kwta::server {

// Thread-safe, except that Start comes first. A request stays in one lane.
class BatchLanes final : public EncodeQueue {
 public:
  // `on_device` says where a model is encoded now; null: always on processors, in the only lane. The options hold for
  // the lane of processors, and for those of the device together. Several threads call the events, each those of its
  // lane, and `encoded` one at a time.
  BatchLanes(const BatcherOptions& options, BatcherEvents events, std::function<bool(const ServedModel&)> on_device);

  void Submit(EncodeWork work, EncodeDone done) override;
  void Start();
  // As those of Batcher, for the models that processors encode. Call ComputeOnThisThread after Start.
  void ComputeOnThisThread() { processor_.ComputeOnThisThread(); }
  bool keeps() const { return processor_.keeps(); }
  void RunKept() { processor_.RunKept(); }
  void HandOverKept() { processor_.HandOverKept(); }
  // What waits in all lanes.
  QueueSize Waiting() const;
  // As Batcher::Drain.
  void Drain();

  // Batches that a device has at a time.
  static constexpr size_t kDeviceLanes = 2;

 private:
  const std::function<bool(const ServedModel&)> on_device_;
  absl::Mutex encoded_;  // Held while that event is handled.
  std::atomic<uint64_t> next_{0};
  Batcher processor_;
  std::vector<std::unique_ptr<Batcher>> device_;  // empty without one
};

}  // namespace kwta::server
