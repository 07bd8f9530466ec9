// What the steps of a learner leave behind in the backend's memory, until somebody looks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/encoders/encoder.h"

namespace kwta {

// Squared errors of steps and counts of active rows. A step waits for the backend only when there is no room for its
// errors: once in kHeldSteps. Not thread-safe.
class StepRecord {
 public:
  static constexpr int64_t kHeldSteps = 256;

  // Steps have `errors` errors: the first is StepStatistics', which becomes NaN if another is not finite.
  absl::Status Create(std::shared_ptr<Backend> backend, int64_t units, int64_t errors);

  // Makes room for the errors of one more step.
  absl::Status Begin();
  // Where the operations of the step that began last write error i, and what they add to: [units]. Backend memory.
  double* error(int64_t i);
  int32_t* active_rows() { return active_rows_.as<int32_t>(); }

  // As Learner::TakeStatistics.
  absl::StatusOr<StepStatistics> Take();
  // Forgets all steps.
  absl::Status Clear();

 private:
  // Brings what the backend holds to taken_.
  absl::Status Fetch();

  std::shared_ptr<Backend> backend_;
  int64_t units_ = 0, errors_of_step_ = 0;
  Buffer errors_;         // f64 [kHeldSteps, errors_of_step]
  Buffer active_rows_;    // i32 [units]
  int64_t held_ = 0;      // steps whose errors are in errors_
  StepStatistics taken_;  // of the steps before them
};

}  // namespace kwta
