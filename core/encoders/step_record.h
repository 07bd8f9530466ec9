// The results of a learner's steps, kept in the backend's memory until somebody reads them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/encoders/encoder.h"

namespace kwta {

// Records the squared errors of steps and counts active rows. A step waits for the backend only if there is no room for
// its errors: once in kHeldSteps. Not thread-safe.
class StepRecord {
 public:
  static constexpr int64_t kHeldSteps = 256;

  // Each step has `errors` errors. The first goes to StepStatistics; it becomes NaN if another is not finite.
  absl::Status Create(std::shared_ptr<Backend> backend, int64_t units, int64_t errors);

  // Makes room for the errors of one more step.
  absl::Status Begin();
  // Backend memory: where the operations of the current step write error i, and the counters that they add to, [units].
  double* error(int64_t i);
  int32_t* active_rows() { return active_rows_.as<int32_t>(); }

  void set_gradient_norm(double norm) { taken_.gradient_norm = norm; }

  // See Learner::TakeStatistics.
  absl::StatusOr<StepStatistics> Take();
  // Drops all steps.
  absl::Status Clear();

 private:
  // Moves the backend's results to taken_.
  absl::Status Fetch();

  std::shared_ptr<Backend> backend_;
  int64_t units_ = 0, errors_of_step_ = 0;
  Buffer errors_;         // f64 [kHeldSteps, errors_of_step]
  Buffer active_rows_;    // i32 [units]
  int64_t held_ = 0;      // steps with errors in errors_
  StepStatistics taken_;  // results of earlier steps
};

}  // namespace kwta
