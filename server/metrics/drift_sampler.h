// Reconstructs a sample of the rows that models encode, to see whether live rows are still what training saw.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/stop_latch.h"
#include "core/tensors/tensor.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Offer copies one row in a hundred, as long as few wait. A thread of its own reconstructs them one at a time and rests
// 1000 times as long as each one took, so all models together cost a thousandth of the computing. Rows that find
// no room are left out of the sample. Results go to ServedModel::use. The models' encoders are asked for what training
// measured: Encoder::ReconstructAsTrained. Thread-safe, except that one thread offers rows.
class DriftSampler {
 public:
  DriftSampler();
  // Stops; what waits is dropped.
  ~DriftSampler();
  DriftSampler(const DriftSampler&) = delete;
  DriftSampler& operator=(const DriftSampler&) = delete;

  // Offers rows that `model` encoded. Does nothing if training has left nothing to compare with.
  void Offer(const ServedModelPtr& model, const RowsView& rows);

  // Reconstructs the row that has waited longest. Returns false if none waits. For tests, and for the sampler's thread.
  bool SampleOne();

  // Starts the thread. Without it, SampleOne does the work.
  void Start();

 private:
  struct Row {
    ServedModelPtr model;
    DType dtype;
    int64_t width;
    std::vector<char> bytes;
  };
  void Loop();
  bool HasRowOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !rows_.empty() || stopping_; }

  absl::Mutex mutex_;
  std::deque<Row> rows_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> waiting_ ABSL_GUARDED_BY(mutex_);  // rows by model; none is 0
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  StopLatch stop_;
  std::thread thread_;
};

}  // namespace kwta::server
