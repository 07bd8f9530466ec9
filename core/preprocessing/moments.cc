#include "core/preprocessing/moments.h"

#include <numeric>

namespace kwta {

Moments::Moments(int64_t width) : mean_(width), squared_deviation_(width) {}

void Moments::Add(const float* x, int64_t rows) {
  const int64_t width = static_cast<int64_t>(mean_.size());
  double* mean = mean_.data();
  double* squared_deviation = squared_deviation_.data();
  for (int64_t i = 0; i < rows; ++i) {
    const double share = 1.0 / static_cast<double>(++rows_);
    const float* row = x + i * width;
    for (int64_t d = 0; d < width; ++d) {
      const double before = row[d] - mean[d];
      mean[d] += before * share;
      squared_deviation[d] += before * (row[d] - mean[d]);
    }
  }
}

std::vector<double> Moments::Variance() const {
  std::vector<double> variance = squared_deviation_;
  for (double& v : variance) v /= static_cast<double>(rows_);
  return variance;
}

double Moments::SquaredDeviation() const {
  return std::accumulate(squared_deviation_.begin(), squared_deviation_.end(), 0.0);
}

std::vector<float> RoundedMean(const Moments& moments) {
  return std::vector<float>(moments.mean().begin(), moments.mean().end());
}

}  // namespace kwta
