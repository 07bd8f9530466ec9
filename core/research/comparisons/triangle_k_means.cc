#include "core/research/comparisons/triangle_k_means.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/backends/staging.h"
#include "core/base/status_macros.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/preprocessing/training_rows.h"
#include "core/research/comparisons/k_means.h"

namespace kwta {
namespace {

constexpr int64_t kGathered = 4096;  // patches

// Copies every patch of one image as stored, [positions, channels, size, size].
void CutPatches(const char* image, const Shape& shape, int64_t size, size_t element, char* patches) {
  const int64_t channels = shape[0], height = shape[1], width = shape[2];
  for (int64_t y = 0; y + size <= height; ++y) {
    for (int64_t x = 0; x + size <= width; ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t dy = 0; dy < size; ++dy) {
          const char* line = image + ((c * height + y + dy) * width + x) * static_cast<int64_t>(element);
          std::memcpy(patches, line, static_cast<size_t>(size) * element);
          patches += static_cast<size_t>(size) * element;
        }
      }
    }
  }
}

}  // namespace

TriangleKMeans::TriangleKMeans(const TriangleKMeansOptions& options, Shape image, Preprocessor preprocessor,
                               std::vector<float> centroids, std::shared_ptr<Backend> backend)
    : options_(options),
      image_(std::move(image)),
      preprocessor_(std::move(preprocessor)),
      centroids_(std::move(centroids)),
      backend_(std::move(backend)) {
  const int64_t patch = static_cast<int64_t>(centroids_.size()) / options_.centroids;
  for (int64_t c = 0; c < options_.centroids; ++c) {
    const float* centroid = centroids_.data() + c * patch;
    squared_lengths_.push_back(static_cast<float>(std::inner_product(centroid, centroid + patch, centroid, 0.0)));
  }
}

absl::StatusOr<TriangleKMeans> TriangleKMeans::Fit(const Dataset& images, const TriangleKMeansOptions& options,
                                                   std::shared_ptr<Backend> backend, const std::string& directory) {
  v1::PreprocessingSpec spec;
  v1::RandomPatchesStep& patches = *spec.add_steps()->mutable_random_patches();
  patches.set_size(options.patch_size);
  patches.set_patches(options.patches);
  patches.set_seed(options.seed);
  spec.add_steps()->mutable_global_contrast();
  spec.add_steps()->mutable_whiten();
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(&spec));
  KWTA_ASSIGN_OR_RETURN(TrainingRows rows, TrainingRows::Create(spec, images, *backend, directory));
  std::vector<float> x(rows.rows() * rows.width());
  std::vector<uint32_t> which;
  for (int64_t begin = 0; begin < rows.rows(); begin += kGathered) {
    const int64_t count = std::min(kGathered, rows.rows() - begin);
    which.resize(count);
    std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
    KWTA_RETURN_IF_ERROR(rows.Gather(which.data(), count, x.data() + begin * rows.width()));
  }
  KMeansOptions clustering;
  clustering.centroids = options.centroids;
  clustering.iterations = options.iterations;
  clustering.seed = options.seed;
  KWTA_ASSIGN_OR_RETURN(KMeansResult clusters, KMeans(x.data(), rows.rows(), rows.width(), clustering, *backend));
  return TriangleKMeans(options, AsImage(images.row_shape()), rows.preprocessor(), std::move(clusters.centroids),
                        std::move(backend));
}

absl::Status TriangleKMeans::Features(const RowsView& images, float* out) const {
  const int64_t size = options_.patch_size, count = options_.centroids;
  const int64_t down = image_[1] - size + 1, across = image_[2] - size + 1, positions = down * across;
  const int64_t patch = image_[0] * size * size;
  const size_t element = DTypeSize(images.dtype);
  std::vector<char> stored(static_cast<size_t>(positions * patch) * element);
  std::vector<float> patches(positions * patch), products(positions * count), distances(count);
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_centroids,
                        StagedInput::Create(*backend_, centroids_.data(), centroids_.size() * sizeof(float)));
  StagedInput staged_patches;
  std::fill_n(out, images.rows * width(), 0.0f);
  for (int64_t i = 0; i < images.rows; ++i) {
    CutPatches(static_cast<const char*>(images.row(i)), image_, size, element, stored.data());
    KWTA_RETURN_IF_ERROR(preprocessor_.Apply({images.dtype, stored.data(), positions, patch}, patches.data()));
    KWTA_RETURN_IF_ERROR(staged_patches.Stage(*backend_, patches.data(), patches.size() * sizeof(float)));
    KWTA_ASSIGN_OR_RETURN(StagedOutput staged_products,
                          StagedOutput::Create(*backend_, products.data(), products.size() * sizeof(float)));
    KWTA_RETURN_IF_ERROR(backend_->Gemm({staged_patches.as<float>(), staged_centroids.as<float>(),
                                         staged_products.as<float>(), positions, count, patch, true}));
    KWTA_RETURN_IF_ERROR(staged_products.Finish(*backend_));
    for (int64_t p = 0; p < positions; ++p) {
      const float* x = patches.data() + p * patch;
      const float squared_length = std::inner_product(x, x + patch, x, 0.0f);
      const float* product = products.data() + p * count;
      for (int64_t c = 0; c < count; ++c) {
        distances[c] = std::sqrt(std::max(0.0f, squared_length + squared_lengths_[c] - 2 * product[c]));
      }
      const float mean = std::accumulate(distances.begin(), distances.end(), 0.0f) / static_cast<float>(count);
      const int64_t quadrant = 2 * (p / across >= (down + 1) / 2) + (p % across >= (across + 1) / 2);
      float* sums = out + i * width() + quadrant * count;
      for (int64_t c = 0; c < count; ++c) sums[c] += std::max(0.0f, mean - distances[c]);
    }
  }
  return absl::OkStatus();
}

}  // namespace kwta
