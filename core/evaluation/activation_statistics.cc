#include "core/evaluation/activation_statistics.h"

#include <algorithm>
#include <cmath>

namespace kwta {

void ActivationStatistics::Add(const SparseCodes& codes) {
  window_rows_ += codes.rows();
  nonzeros_ += codes.entries() - std::count(codes.values.begin(), codes.values.end(), 0.0f);
  for (const int32_t unit : codes.indices) ++rows_of_unit_[unit];
}

void ActivationStatistics::AddDense(const float* codes, int64_t rows) {
  const auto units = static_cast<int64_t>(rows_of_unit_.size());
  window_rows_ += rows;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t unit = 0; unit < units; ++unit) {
      if (std::abs(codes[i * units + unit]) <= active_above_) continue;
      ++nonzeros_;
      ++rows_of_unit_[unit];
    }
  }
}

double ActivationStatistics::L0() const {
  return window_rows_ == 0 ? 0 : static_cast<double>(nonzeros_) / static_cast<double>(window_rows_);
}

double ActivationStatistics::ActiveUnitFraction() const { return L0() / static_cast<double>(rows_of_unit_.size()); }

int64_t ActivationStatistics::DeadUnits() const {
  return std::count(rows_of_unit_.begin(), rows_of_unit_.end(), int64_t{0});
}

void UnexplainedVariance::Add(const float* x, const float* reconstruction, int64_t rows) {
  moments_.Add(x, rows);
  for (int64_t e = 0; e < rows * width_; ++e) {
    const double difference = double{x[e]} - reconstruction[e];
    squared_error_ += difference * difference;
  }
}

}  // namespace kwta
