// Features of images by k-means on small patches: the comparison in table 2 of the winner-take-all paper.
// Coates, Ng & Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", 2011.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {

struct TriangleKMeansOptions {
  int64_t centroids = 1600;
  uint32_t patch_size = 6;  // pixels
  uint32_t patches = 400'000;
  int iterations = 20;
  uint64_t seed = 1;
};

// Contrast-normalises, whitens (sections 3.1.1 and 3.1.2 of that paper) and clusters random patches. An image's
// features come from its patches at every position: f_c = max(0, mean_c(z) - z_c), where z_c is the distance to
// centroid c (section 3.2.2, "triangle"). They are summed over each quadrant of the positions (section 3.2.3): [2, 2,
// centroids], top left, top right, bottom left, bottom right. The upper and the left quadrants include the middle
// position of an odd number. Immutable; only one thread at a time may call Features.
class TriangleKMeans {
 public:
  // Scratch files go to `directory`; empty: the system's. Errors: INVALID_ARGUMENT (patches that do not fit the images,
  // options out of range), and those of the backend and the file system.
  static absl::StatusOr<TriangleKMeans> Fit(const Dataset& images, const TriangleKMeansOptions& options,
                                            std::shared_ptr<Backend> backend, const std::string& directory);

  int64_t width() const { return 4 * options_.centroids; }
  // Computes features of rows [rows, channels * height * width], images of the fitted shape, to out[rows, width()].
  absl::Status Features(const RowsView& images, float* out) const;

  const std::vector<float>& centroids() const { return centroids_; }
  // The preprocessing of a patch.
  const Preprocessor& preprocessor() const { return preprocessor_; }

 private:
  TriangleKMeans(const TriangleKMeansOptions& options, Shape image, Preprocessor preprocessor,
                 std::vector<float> centroids, std::shared_ptr<Backend> backend);

  TriangleKMeansOptions options_;
  Shape image_;  // [channels, height, width]
  Preprocessor preprocessor_;
  std::vector<float> centroids_;  // [centroids, patch]
  std::vector<float> squared_lengths_;
  std::shared_ptr<Backend> backend_;
};

}  // namespace kwta
