// Small winner-take-all models with random numbers, and the paper's formulas as plain loops in binary64.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/rng.h"
#include "core/encoders/winner_take_all.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta {

// `change` may set fields before the rest is resolved for images of channels x height x width.
template <typename Change>
v1::WinnerTakeAllSpec FittedWinnerTakeAll(const Shape& image, const Change& change) {
  v1::WinnerTakeAllSpec spec;
  spec.set_maps(4);
  spec.set_filter_size(3);
  spec.set_pool_width(3);
  spec.set_pool_stride(2);
  change(&spec);
  EXPECT_EQ(ResolveWinnerTakeAll(&spec), absl::OkStatus());
  EXPECT_EQ(FitWinnerTakeAll(&spec, image), absl::OkStatus());
  return spec;
}
inline v1::WinnerTakeAllSpec FittedWinnerTakeAll(const Shape& image) {
  return FittedWinnerTakeAll(image, [](v1::WinnerTakeAllSpec*) {});
}

inline ModelBundle RandomWinnerTakeAllModel(const v1::WinnerTakeAllSpec& spec, bool subtract_mean, uint64_t seed) {
  Rng rng(seed);
  ModelBundle bundle;
  const int64_t width = ImagesOf(spec, 1).elements();
  v1::ModelDescription& description = bundle.description;
  description.set_format(1);
  description.set_name("random");
  description.set_input_width(static_cast<uint32_t>(width));
  description.set_code_width(static_cast<uint32_t>(ElementCount(PooledShape(spec))));
  *description.mutable_encoder()->mutable_winner_take_all() = spec;
  description.mutable_preprocessing()->set_subtract_mean(subtract_mean);
  bundle.tensors["filters"] = GaussianTensor(FilterShape(spec), 0.5, rng);
  bundle.tensors["bias"] = GaussianTensor({spec.maps()}, 0.5, rng);
  if (!spec.tied_weights()) bundle.tensors["decoder_filters"] = GaussianTensor(DecoderFilterShape(spec), 0.5, rng);
  bundle.tensors["decoder_bias"] = GaussianTensor({spec.input().channels()}, 0.5, rng);
  if (subtract_mean) bundle.tensors["mean"] = GaussianTensor({width}, 1.0, rng);
  return bundle;
}

// Parameters in binary64, for independent computation. Images are [channels, height, width], preprocessed.
struct WinnerTakeAllOracle {
  WinnerTakeAllOracle(const v1::WinnerTakeAllSpec& spec, const TensorMap& tensors)
      : spec(spec),
        filters(KSparseOracle::Copy(tensors.at("filters"))),
        bias(KSparseOracle::Copy(tensors.at("bias"))),
        decoder_filters(KSparseOracle::Copy(tensors.at(spec.tied_weights() ? "filters" : "decoder_filters"))),
        decoder_bias(KSparseOracle::Copy(tensors.at("decoder_bias"))) {}

  // z before ReLU, [maps, height, width].
  std::vector<double> Activities(const double* image) const {
    const ImageBatch i = ImagesOf(spec, 1);
    const int64_t size = spec.filter_size();
    std::vector<double> z;
    for (int64_t m = 0; m < spec.maps(); ++m) {
      for (int64_t position = 0; position < i.positions(); ++position) {
        double sum = bias[m];
        for (int64_t w = 0; w < i.channels * size * size; ++w) {
          const int64_t y = position / i.width - (size - 1) / 2 + w / size % size;
          const int64_t x = position % i.width - (size - 1) / 2 + w % size;
          if (y < 0 || y >= i.height || x < 0 || x >= i.width) continue;
          sum += filters[m * i.channels * size * size + w] * image[(w / (size * size) * i.height + y) * i.width + x];
        }
        z.push_back(sum);
      }
    }
    return z;
  }

  // The maximum of max(0, z) over each window, [maps, pooled height, pooled width].
  std::vector<double> Pooled(const std::vector<double>& z) const {
    const ImageBatch i = ImagesOf(spec, 1);
    const Shape shape = PooledShape(spec);
    std::vector<double> pooled(ElementCount(shape));
    for (int64_t unit = 0; unit < ElementCount(shape); ++unit) {
      const int64_t m = unit / (shape[1] * shape[2]);
      const int64_t top = unit / shape[2] % shape[1] * spec.pool_stride() - spec.pool_padding();
      const int64_t left = unit % shape[2] * spec.pool_stride() - spec.pool_padding();
      for (int64_t y = top; y < top + spec.pool_width(); ++y) {
        for (int64_t x = left; x < left + spec.pool_width(); ++x) {
          if (y < 0 || y >= i.height || x < 0 || x >= i.width) continue;
          pooled[unit] = std::max(pooled[unit], z[m * i.positions() + y * i.width + x]);
        }
      }
    }
    return pooled;
  }

  // Units map * positions + position of the largest positive activity of each map.
  std::vector<int64_t> Winners(const std::vector<double>& z) const {
    const int64_t positions = ImagesOf(spec, 1).positions();
    std::vector<int64_t> winners;
    for (int64_t m = 0; m < spec.maps(); ++m) {
      const auto begin = z.begin() + m * positions;
      const auto best = std::max_element(begin, begin + positions);
      if (*best > 0) winners.push_back(best - z.begin());
    }
    return winners;
  }

  // xhat over the winners given.
  std::vector<double> Reconstruction(const std::vector<double>& z, const std::vector<int64_t>& winners) const {
    const ImageBatch i = ImagesOf(spec, 1);
    const int64_t size = spec.decoder_filter_size();
    std::vector<double> out;
    for (int64_t e = 0; e < i.elements(); ++e) out.push_back(decoder_bias[e / i.positions()]);
    for (const int64_t unit : winners) {
      const int64_t m = unit / i.positions(), position = unit % i.positions();
      for (int64_t w = 0; w < i.channels * size * size; ++w) {
        const int64_t y = position / i.width - (size - 1) / 2 + w / size % size;
        const int64_t x = position % i.width - (size - 1) / 2 + w % size;
        if (y < 0 || y >= i.height || x < 0 || x >= i.width) continue;
        out[(w / (size * size) * i.height + y) * i.width + x] +=
            z[unit] * decoder_filters[m * i.channels * size * size + w];
      }
    }
    return out;
  }

  v1::WinnerTakeAllSpec spec;
  std::vector<double> filters, bias, decoder_filters, decoder_bias;
};

}  // namespace kwta
