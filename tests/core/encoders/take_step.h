// Updates of a learner, one at a time.
#pragma once

#include "core/base/status_macros.h"
#include "core/encoders/encoder.h"

namespace kwta {

// One update, and what it did.
inline absl::StatusOr<StepStatistics> TakeStep(Learner& learner, const float* x, int64_t rows,
                                               const StepOptions& options) {
  KWTA_RETURN_IF_ERROR(learner.Step(x, rows, options));
  return learner.TakeStatistics();
}

// Its squared error. The update is expected to succeed.
inline double ErrorOfStep(Learner& learner, const float* x, int64_t rows, const StepOptions& options) {
  return TakeStep(learner, x, rows, options).value().squared_errors.at(0);
}

}  // namespace kwta
