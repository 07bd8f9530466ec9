#include "core/evaluation/feature_products.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kwta {
namespace {

constexpr int64_t kPiece = 512;  // elements of a row that are multiplied together while they are in the nearest cache

const ProbeKernels& BestKernels() {
  static const ProbeKernels& kernels = ProbeKernelsFor(simd::AvailableInstructionSets().front());
  return kernels;
}

// y += a x over `lanes` elements, a multiple of kProbeLanes.
inline void Axpy(float a, const float* x, int lanes, float* y) {
  for (int block = 0; block < lanes; block += kProbeLanes) {
    for (int c = 0; c < kProbeLanes; ++c) y[block + c] += a * x[block + c];
  }
}

// Handles one row after another and reads only non-zero entries.
class EntryProducts : public FeatureProducts {
 public:
  EntryProducts(const FeatureRows& features, float scale, int lanes)
      : features_(features), scale_(scale), lanes_(lanes), scaled_(lanes) {}

  void Multiply(absl::Span<const uint32_t> rows, const float* weights, const ProbeDropout& /*dropout*/,
                float* sums) override {
    rows_.assign(rows.begin(), rows.end());
    for (size_t r = 0; r < rows.size(); ++r) {
      const FeatureRow row = features_.Row(rows[r], &scratch_);
      float* sum = sums + r * lanes_;
      std::fill_n(sum, lanes_, 0.0f);
      for (int64_t e = 0; e < row.entries; ++e) {
        Axpy(row.values[e], weights + int64_t{row.indices[e]} * lanes_, lanes_, sum);
      }
      for (int c = 0; c < lanes_; ++c) sum[c] *= scale_;
    }
  }

  void AddTransposed(const float* p, float* gradient) override {
    for (size_t r = 0; r < rows_.size(); ++r) {
      const FeatureRow row = features_.Row(rows_[r], &scratch_);
      for (int c = 0; c < lanes_; ++c) scaled_[c] = p[r * lanes_ + c] * scale_;
      for (int64_t e = 0; e < row.entries; ++e) {
        Axpy(row.values[e], scaled_.data(), lanes_, gradient + int64_t{row.indices[e]} * lanes_);
      }
    }
  }

 private:
  const FeatureRows& features_;
  const float scale_;
  const int lanes_;
  std::vector<float> scaled_;  // [lanes]
  std::vector<uint32_t> rows_;
  FeatureScratch scratch_;
};

// Handles all rows together, one piece of their width at a time.
class BlockProducts : public FeatureProducts {
 public:
  BlockProducts(const FeatureRows& features, const FeatureTransform& transform, int lanes)
      : features_(features), shift_(transform.shift), factor_(transform.factor), lanes_(lanes) {
    if (shift_.empty()) {
      shift_.resize(features.width());
      factor_.assign(features.width(), transform.scale);
    }
  }

  void Multiply(absl::Span<const uint32_t> rows, const float* weights, const ProbeDropout& dropout,
                float* sums) override {
    rows_ = static_cast<int64_t>(rows.size());
    block_.resize(rows_ * features_.width());
    std::fill_n(sums, rows_ * lanes_, 0.0f);
    ForEachPiece([&](int64_t begin, int64_t count, float* x) {
      for (int64_t r = 0; r < rows_; ++r) {
        float* piece = x + r * count;
        features_.CopyRow(rows[r], begin, count, piece);
        kernels_.transform(piece, shift_.data() + begin, factor_.data() + begin, count,
                           static_cast<uint32_t>(r * features_.width() + begin), dropout);
      }
      kernels_.multiply(x, weights + begin * lanes_, rows_, count, lanes_, sums);
    });
  }

  void AddTransposed(const float* p, float* gradient) override {
    ForEachPiece([&](int64_t begin, int64_t count, const float* x) {
      kernels_.add_transposed(x, p, rows_, count, lanes_, gradient + begin * lanes_);
    });
  }

 private:
  template <typename Body>
  void ForEachPiece(const Body& body) {
    for (int64_t begin = 0; begin < features_.width(); begin += kPiece) {
      body(begin, std::min(kPiece, features_.width() - begin), block_.data() + begin * rows_);
    }
  }

  const ProbeKernels& kernels_ = BestKernels();
  const FeatureRows& features_;
  std::vector<float> shift_, factor_;  // [width]
  const int lanes_;
  int64_t rows_ = 0;
  std::vector<float> block_;  // one piece after another, each [rows, elements of the piece]
};

}  // namespace

std::unique_ptr<FeatureProducts> MakeFeatureProducts(const FeatureRows& features, const FeatureTransform& transform,
                                                     int lanes) {
  if (features.dense() || !transform.shift.empty()) {
    return std::make_unique<BlockProducts>(features, transform, lanes);
  }
  return std::make_unique<EntryProducts>(features, transform.scale, lanes);
}

FeatureTransform FitTransform(const FeatureRows& features, absl::Span<const uint32_t> which, FeatureScaling scaling) {
  const int64_t width = features.width();
  const auto rows = static_cast<double>(which.size());
  FeatureTransform transform;
  const auto scale_for = [](double mean_squared_length) {
    return mean_squared_length > 0 ? static_cast<float>(1 / std::sqrt(mean_squared_length)) : 1.0f;
  };
  if (scaling == FeatureScaling::kAsTheyAre) {
    FeatureScratch scratch;
    double squared = 0;
    for (const uint32_t i : which) {
      const FeatureRow row = features.Row(i, &scratch);
      squared += std::inner_product(row.values, row.values + row.entries, row.values, 0.0);
    }
    transform.scale = scale_for(squared / rows);
    return transform;
  }
  std::vector<double> mean(width), variance(width);
  std::vector<float> row(width);
  for (const uint32_t i : which) {
    features.CopyRow(i, 0, width, row.data());
    for (int64_t d = 0; d < width; ++d) {
      mean[d] += row[d];
      variance[d] += double{row[d]} * row[d];
    }
  }
  for (int64_t d = 0; d < width; ++d) {
    mean[d] /= rows;
    variance[d] = std::max(0.0, variance[d] / rows - mean[d] * mean[d]);
  }
  const double total = std::accumulate(variance.begin(), variance.end(), 0.0);
  const double floor = 0.01 * total / static_cast<double>(width);
  std::vector<double> factor(width, 1.0);
  double squared_length = total;
  if (scaling == FeatureScaling::kStandardised && total > 0) {
    squared_length = 0;
    for (int64_t d = 0; d < width; ++d) {
      factor[d] = 1 / std::sqrt(variance[d] + floor);
      squared_length += variance[d] * factor[d] * factor[d];
    }
  }
  transform.scale = scale_for(squared_length);
  for (int64_t d = 0; d < width; ++d) {
    transform.shift.push_back(static_cast<float>(mean[d]));
    transform.factor.push_back(static_cast<float>(factor[d] * transform.scale));
  }
  return transform;
}

}  // namespace kwta
