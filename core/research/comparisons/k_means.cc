#include "core/research/comparisons/k_means.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/invalid_field.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int64_t kBlock = 1000;  // rows whose distances are computed together

std::vector<float> SquaredLengths(const float* x, int64_t rows, int64_t width) {
  std::vector<float> lengths(rows);
  for (int64_t i = 0; i < rows; ++i) {
    double sum = 0;
    for (int64_t d = 0; d < width; ++d) sum += double{x[i * width + d]} * x[i * width + d];
    lengths[i] = static_cast<float>(sum);
  }
  return lengths;
}

}  // namespace

absl::StatusOr<KMeansResult> KMeans(const float* x, int64_t rows, int64_t width, const KMeansOptions& options,
                                    Backend& backend) {
  const int64_t count = options.centroids;
  if (count < 1 || count > rows) {
    return InvalidField("centroids", count, absl::StrCat("1 .. ", rows, ", the number of rows"));
  }
  if (options.iterations < 1) return InvalidField("iterations", options.iterations, "at least 1");
  Rng rng(options.seed);
  KMeansResult result;
  const std::vector<uint32_t> order = RandomPermutation(rows, rng);
  for (int64_t c = 0; c < count; ++c) {
    result.centroids.insert(result.centroids.end(), x + order[c] * width, x + (order[c] + 1) * width);
  }
  const std::vector<float> row_lengths = SquaredLengths(x, rows, width);
  result.assignment.assign(rows, -1);
  std::vector<float> products(kBlock * count);
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_rows, StagedInput::Create(backend, x, rows * width * sizeof(float)));
  StagedInput staged_centroids;
  for (bool changed = true; changed && result.iterations < options.iterations; ++result.iterations) {
    const std::vector<float> lengths = SquaredLengths(result.centroids.data(), count, width);
    KWTA_RETURN_IF_ERROR(staged_centroids.Stage(backend, result.centroids.data(), count * width * sizeof(float)));
    std::vector<double> sums(count * width);
    std::vector<int64_t> members(count);
    double squared_distance = 0;
    changed = false;
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      const int64_t block = std::min(kBlock, rows - begin);
      KWTA_ASSIGN_OR_RETURN(StagedOutput staged_products,
                            StagedOutput::Create(backend, products.data(), block * count * sizeof(float)));
      KWTA_RETURN_IF_ERROR(backend.Gemm({staged_rows.as<float>() + begin * width, staged_centroids.as<float>(),
                                         staged_products.as<float>(), block, count, width, true}));
      KWTA_RETURN_IF_ERROR(staged_products.Finish(backend));
      for (int64_t i = 0; i < block; ++i) {
        // |x - c|^2 = |x|^2 + |c|^2 - 2 <x, c>
        const float* product = products.data() + i * count;
        int64_t nearest = 0;
        float least = lengths[0] - 2 * product[0];
        for (int64_t c = 1; c < count; ++c) {
          const float distance = lengths[c] - 2 * product[c];
          if (distance >= least) continue;
          least = distance;
          nearest = c;
        }
        int32_t& assigned = result.assignment[begin + i];
        changed |= assigned != nearest;
        assigned = static_cast<int32_t>(nearest);
        squared_distance += std::max(0.0f, least + row_lengths[begin + i]);
        ++members[nearest];
        const float* row = x + (begin + i) * width;
        for (int64_t d = 0; d < width; ++d) sums[nearest * width + d] += row[d];
      }
    }
    result.squared_distance = squared_distance / static_cast<double>(rows);
    for (int64_t c = 0; c < count; ++c) {
      float* centroid = result.centroids.data() + c * width;
      if (members[c] == 0) {
        changed = true;
        std::copy_n(x + static_cast<int64_t>(rng.UniformBelow(rows)) * width, width, centroid);
        continue;
      }
      for (int64_t d = 0; d < width; ++d) {
        centroid[d] = static_cast<float>(sums[c * width + d] / static_cast<double>(members[c]));
      }
    }
  }
  return result;
}

}  // namespace kwta
