// k-means clustering by Lloyd's iterations.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"

namespace kwta {

struct KMeansOptions {
  int64_t centroids = 1600;
  int iterations = 20;  // at most; k-means stops early if no row changes its cluster
  uint64_t seed = 1;
};

struct KMeansResult {
  std::vector<float> centroids;     // [centroids, width]
  std::vector<int32_t> assignment;  // [rows]: the nearest of the centroids before the last update
  double squared_distance = 0;      // mean squared distance of the rows to it
  int iterations = 0;
};

// Starts from rows drawn without replacement. Each iteration assigns every row to its nearest centroid (the lowest of
// several) and moves each centroid to the mean of its rows. A centroid without rows moves to a random row. x is [rows,
// width], host memory. The result is a function of the arguments and the backend. Errors: INVALID_ARGUMENT (centroids
// outside 1 .. rows, iterations below 1), and those of the backend.
absl::StatusOr<KMeansResult> KMeans(const float* x, int64_t rows, int64_t width, const KMeansOptions& options,
                                    Backend& backend);

}  // namespace kwta
