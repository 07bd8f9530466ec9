// The fraction of variance unexplained of a sample of rows.
#pragma once

#include <cstdint>
#include <vector>

namespace kwta::server {

// Sums over the last `sample_rows` rows or more: over a complete part of so many rows, and the rows after it. So the
// fraction follows the rows of late without keeping them. The variance is about the mean of these rows, whatever
// training saw. Not thread-safe.
class SampleError {
 public:
  explicit SampleError(int64_t sample_rows) : sample_rows_(sample_rows) {}

  // Adds a row x[width] and its reconstruction xhat[width]. A width other than before starts anew.
  void Add(const float* x, const float* xhat, int64_t width);

  // sum |x - xhat|^2 / sum |x - mean|^2. 0 if there are too few rows, or if they are all the same.
  double fraction_variance_unexplained() const;

 private:
  struct Sums {
    int64_t rows = 0;
    double errors = 0;   // |x - xhat|^2
    double squares = 0;  // |x|^2
    std::vector<double> x;
  };

  const int64_t sample_rows_;
  Sums part_, complete_;
};

}  // namespace kwta::server
