#include "server/metrics/sample_error.h"

#include <utility>

namespace kwta::server {
namespace {

// Fewer rows say too little of a variance.
constexpr int64_t kFewestRows = 16;

}  // namespace

void SampleError::Add(const float* x, const float* xhat, int64_t width) {
  if (static_cast<int64_t>(part_.x.size()) != width) {
    part_ = complete_ = Sums();
    part_.x.assign(static_cast<size_t>(width), 0);
  }
  for (int64_t d = 0; d < width; ++d) {
    const double value = x[d], error = value - xhat[d];
    part_.errors += error * error;
    part_.squares += value * value;
    part_.x[d] += value;
  }
  if (++part_.rows < sample_rows_) return;
  complete_ = std::exchange(part_, Sums());
  part_.x.assign(static_cast<size_t>(width), 0);
}

double SampleError::fraction_variance_unexplained() const {
  const int64_t rows = part_.rows + complete_.rows;
  if (rows < kFewestRows) return 0;
  double square_of_sum = 0;
  for (size_t d = 0; d < part_.x.size(); ++d) {
    const double sum = part_.x[d] + (complete_.x.empty() ? 0 : complete_.x[d]);
    square_of_sum += sum * sum;
  }
  const double variance = part_.squares + complete_.squares - square_of_sum / static_cast<double>(rows);
  return variance > 0 ? (part_.errors + complete_.errors) / variance : 0;
}

}  // namespace kwta::server
