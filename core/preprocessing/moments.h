// Mean and variance of rows, measured in one pass.
#pragma once

#include <cstdint>
#include <vector>

namespace kwta {

// Gathers the mean of rows and their spread around it, in binary64 and without cancellation (Welford's recurrence), so
// that data far from zero lose nothing. Not thread-safe; the result depends on the order of the rows only by rounding.
class Moments {
 public:
  explicit Moments(int64_t width);

  // x is [rows, width].
  void Add(const float* x, int64_t rows);

  int64_t rows() const { return rows_; }
  // [width].
  const std::vector<double>& mean() const { return mean_; }
  // Mean squared deviation of each dimension, [width].
  std::vector<double> Variance() const;
  // Sum over the rows of |x - mean()|^2: the denominator of the fraction of variance unexplained.
  double SquaredDeviation() const;

 private:
  int64_t rows_ = 0;
  std::vector<double> mean_;
  std::vector<double> squared_deviation_;  // of each dimension
};

// The mean as a Preprocessor takes it: rounded once to binary32.
std::vector<float> RoundedMean(const Moments& moments);

}  // namespace kwta
