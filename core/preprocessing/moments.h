// Mean and variance of rows in one pass.
#pragma once

#include <cstdint>
#include <vector>

namespace kwta {

// Accumulates the mean of rows and their spread around it, in binary64 and without cancellation (Welford's recurrence),
// so data far from zero lose nothing. Not thread-safe; the order of the rows changes the result only by rounding.
class Moments {
 public:
  explicit Moments(int64_t width);

  // Adds x[rows, width].
  void Add(const float* x, int64_t rows);

  int64_t rows() const { return rows_; }
  // [width].
  const std::vector<double>& mean() const { return mean_; }
  // Returns the mean squared deviation of each dimension, [width].
  std::vector<double> Variance() const;
  // Returns the sum over the rows of |x - mean()|^2: the denominator of the fraction of variance unexplained.
  double SquaredDeviation() const;

 private:
  int64_t rows_ = 0;
  std::vector<double> mean_;
  std::vector<double> squared_deviation_;  // of each dimension
};

// Rounds the mean once to binary32, as a Preprocessor takes it.
std::vector<float> RoundedMean(const Moments& moments);

}  // namespace kwta
