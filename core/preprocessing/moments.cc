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

double Moments::SquaredDeviation() const {
  return std::accumulate(squared_deviation_.begin(), squared_deviation_.end(), 0.0);
}

Moments MeasureMoments(const Dataset& data, const Preprocessor& preprocessor) {
  Moments moments(data.width());
  std::vector<float> row(data.width());
  for (int64_t i = 0; i < data.rows(); ++i) {
    preprocessor.ToFloat(data.row(i), row.data());
    moments.Add(row.data(), 1);
  }
  return moments;
}

std::vector<float> RoundedMean(const Moments& moments) {
  return std::vector<float>(moments.mean().begin(), moments.mean().end());
}

}  // namespace kwta
