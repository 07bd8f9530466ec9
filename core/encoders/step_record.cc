#include "core/encoders/step_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/status_macros.h"

namespace kwta {

absl::Status StepRecord::Create(std::shared_ptr<Backend> backend, int64_t units, int64_t errors) {
  backend_ = std::move(backend);
  units_ = units;
  errors_of_step_ = errors;
  KWTA_ASSIGN_OR_RETURN(errors_, backend_->Allocate(kHeldSteps * errors * sizeof(double)));
  KWTA_ASSIGN_OR_RETURN(active_rows_, backend_->Allocate(units * sizeof(int32_t)));
  return Clear();
}

absl::Status StepRecord::Clear() {
  held_ = 0;
  taken_.squared_errors.clear();
  taken_.gradient_norm.reset();
  taken_.active_rows.assign(units_, 0);
  return backend_->Clear(active_rows_.as<void>(), active_rows_.bytes());
}

absl::Status StepRecord::Begin() {
  if (held_ == kHeldSteps) KWTA_RETURN_IF_ERROR(Fetch());
  ++held_;
  return absl::OkStatus();
}

double* StepRecord::error(int64_t i) { return errors_.as<double>() + (held_ - 1) * errors_of_step_ + i; }

absl::Status StepRecord::Fetch() {
  std::vector<double> errors(held_ * errors_of_step_);
  KWTA_RETURN_IF_ERROR(backend_->CopyToHost(errors_.as<void>(), errors.data(), errors.size() * sizeof(double)));
  std::vector<int32_t> active_rows(units_);
  KWTA_RETURN_IF_ERROR(backend_->CopyToHost(active_rows_.as<void>(), active_rows.data(), active_rows_.bytes()));
  KWTA_RETURN_IF_ERROR(backend_->Clear(active_rows_.as<void>(), active_rows_.bytes()));
  for (auto step = errors.begin(); step != errors.end(); step += errors_of_step_) {
    const bool finite = std::all_of(step, step + errors_of_step_, [](double error) { return std::isfinite(error); });
    taken_.squared_errors.push_back(finite ? *step : std::numeric_limits<double>::quiet_NaN());
  }
  for (int64_t unit = 0; unit < units_; ++unit) taken_.active_rows[unit] += active_rows[unit];
  held_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<StepStatistics> StepRecord::Take() {
  if (held_ > 0) KWTA_RETURN_IF_ERROR(Fetch());
  StepStatistics taken;
  taken.active_rows.resize(units_);
  std::swap(taken, taken_);
  return taken;
}

}  // namespace kwta
