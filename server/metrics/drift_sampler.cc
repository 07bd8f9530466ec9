#include "server/metrics/drift_sampler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/steady_time.h"
#include "core/encoders/encoder.h"
#include "server/compute_priority.h"
#include "server/metrics/model_use.h"

namespace kwta::server {
namespace {

// A model that takes much traffic leaves room for the others.
constexpr int kMostRowsOfAModel = 4;
constexpr size_t kMostRows = 64;

constexpr double kRest = 1000;
constexpr absl::Duration kShortestRest = absl::Milliseconds(20);
constexpr absl::Duration kLongestRest = absl::Minutes(10);

}  // namespace

DriftSampler::DriftSampler() = default;

DriftSampler::~DriftSampler() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  stop_.Stop();
  if (thread_.joinable()) thread_.join();
}

void DriftSampler::Offer(const ServedModelPtr& model, const RowsView& rows) {
  int64_t which = 0;
  if (model->use == nullptr || !model->use->SampleOneOf(rows.rows, &which)) return;
  if (model->use->training_unexplained() <= 0) return;
  absl::MutexLock lock(&mutex_);
  if (rows_.size() >= kMostRows) return;
  int& waiting = waiting_[model->name];
  if (waiting >= kMostRowsOfAModel) return;
  ++waiting;
  Row row{model, rows.dtype, rows.width, std::vector<char>(rows.row_bytes())};
  std::memcpy(row.bytes.data(), rows.row(which), row.bytes.size());
  rows_.push_back(std::move(row));
}

bool DriftSampler::SampleOne() {
  Row row;
  {
    absl::MutexLock lock(&mutex_);
    if (rows_.empty()) return false;
    row = std::move(rows_.front());
    rows_.pop_front();
    const auto waiting = waiting_.find(row.model->name);
    if (--waiting->second == 0) waiting_.erase(waiting);
  }
  const RowsView view = {row.dtype, row.bytes.data(), 1, row.width};
  const absl::StatusOr<TrainedRows> rows = row.model->encoder->ReconstructAsTrained(view);
  // A row that cannot be preprocessed was refused when it was encoded; a kind may not say what training measured.
  if (!rows.ok()) return true;
  // A row of separate views is several rows of training.
  const int64_t count = rows->width > 0 ? static_cast<int64_t>(rows->x.size()) / rows->width : 0;
  for (int64_t i = 0; i < count; ++i) {
    row.model->use->Sampled(rows->x.data() + i * rows->width, rows->reconstructions.data() + i * rows->width,
                            rows->width);
  }
  return true;
}

void DriftSampler::Start() {
  thread_ = std::thread([this] {
    // Not lower than the thread that computes: it may have to wait for a loop that this one started.
    LowerPriorityOfComputing();
    Loop();
  });
}

void DriftSampler::Loop() {
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &DriftSampler::HasRowOrStops));
      if (stopping_) return;
    }
    const SteadyTime start = SteadyTime::Now();
    SampleOne();
    const absl::Duration took = SteadyTime::Now() - start;
    if (stop_.StoppedWithin(std::clamp(kRest * took, kShortestRest, kLongestRest))) return;
  }
}

}  // namespace kwta::server
