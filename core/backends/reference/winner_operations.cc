#include "core/backends/reference/winner_operations.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/score_order.h"
#include "core/simd/fixed_order_convolution.h"

namespace kwta {
namespace {

// Computes activities[maps, positions] of one image: max(0, z), and 0 where z is NaN.
void Activities(const float* filters, const float* bias, int64_t maps, int64_t size, const ImageBatch& images,
                const float* image, std::vector<float>& activities) {
  const int64_t before = (size - 1) / 2;
  const int64_t height = images.height + size - 1, width = images.width + size - 1;
  std::vector<float> padded(static_cast<size_t>(images.channels * height * width));
  for (int64_t c = 0; c < images.channels; ++c) {
    for (int64_t y = 0; y < images.height; ++y) {
      std::copy_n(image + (c * images.height + y) * images.width, images.width,
                  padded.begin() + (c * height + y + before) * width + before);
    }
  }
  activities.resize(static_cast<size_t>(maps * images.positions()));
  for (int64_t m = 0; m < maps; ++m) {
    const float* filter = filters + m * images.channels * size * size;
    for (int64_t y = 0; y < images.height; ++y) {
      for (int64_t x = 0; x < images.width; ++x) {
        const float* patch = padded.data() + y * width + x;
        const float z =
            simd::FixedOrderConvolution(patch, height * width, width, filter, images.channels, size) + bias[m];
        activities[m * images.positions() + y * images.width + x] = z > 0 ? z : 0;
      }
    }
  }
}

// Writes the `winners` largest activities of units first .. first + count - 1 to units[winners] and values[winners].
void LargestAboveZero(const std::vector<float>& activities, int64_t first, int64_t count, int64_t winners,
                      int32_t* units, float* values) {
  std::vector<int32_t> candidates;
  for (int64_t unit = first; unit < first + count; ++unit) {
    if (activities[unit] > 0) candidates.push_back(static_cast<int32_t>(unit));
  }
  const auto kept = std::min<int64_t>(winners, static_cast<int64_t>(candidates.size()));
  std::partial_sort(candidates.begin(), candidates.begin() + kept, candidates.end(),
                    [&](int32_t a, int32_t b) { return GoesBefore(activities[a], a, activities[b], b); });
  std::sort(candidates.begin(), candidates.begin() + kept);
  for (int64_t e = 0; e < winners; ++e) {
    units[e] = e < kept ? candidates[e] : -1;
    values[e] = e < kept ? activities[candidates[e]] : 0;
  }
}

// Calls visit(pixel, weight) for every weight of a filter [channels, size, size] around position (y, x) that falls
// inside the image, with the offset of the pixel in the image and of the weight in the filter.
template <typename Visit>
void ForEachPixelUnderFilter(const ImageBatch& images, int64_t size, int64_t y, int64_t x, const Visit& visit) {
  const int64_t before = (size - 1) / 2;
  for (int64_t c = 0; c < images.channels; ++c) {
    for (int64_t dy = 0; dy < size; ++dy) {
      const int64_t row = y - before + dy;
      if (row < 0 || row >= images.height) continue;
      for (int64_t dx = 0; dx < size; ++dx) {
        const int64_t column = x - before + dx;
        if (column < 0 || column >= images.width) continue;
        visit((c * images.height + row) * images.width + column, (c * size + dy) * size + dx);
      }
    }
  }
}

void RoundTo(const std::vector<double>& sums, float* out) {
  std::transform(sums.begin(), sums.end(), out, [](double sum) { return static_cast<float>(sum); });
}

}  // namespace

void ReferenceConvWinners(const ConvWinnersArgs& args) {
  const int64_t positions = args.images.positions();
  const bool each_map = args.scope == WinnerScope::kEachMap;
  const int64_t scopes = each_map ? args.maps : 1;
  const int64_t scope_units = each_map ? positions : args.maps * positions;
  std::vector<float> activities;
  for (int64_t i = 0; i < args.images.rows; ++i) {
    Activities(args.filters, args.bias, args.maps, args.size, args.images, args.x + i * args.images.elements(),
               activities);
    for (int64_t s = 0; s < scopes; ++s) {
      const int64_t entry = (i * scopes + s) * args.winners;
      LargestAboveZero(activities, s * scope_units, scope_units, args.winners, args.units + entry, args.values + entry);
    }
  }
}

void ReferenceWinnerResidual(const WinnerResidualArgs& args) {
  const ImageBatch& images = args.images;
  const int64_t positions = images.positions();
  const int64_t filter_elements = images.channels * args.size * args.size;
  double squared_sum = 0;
  std::vector<double> sums(static_cast<size_t>(images.elements()));
  for (int64_t i = 0; i < images.rows; ++i) {
    for (int64_t p = 0; p < images.elements(); ++p) sums[p] = args.bias[p / positions];
    for (int64_t e = i * args.entries; e < (i + 1) * args.entries; ++e) {
      if (args.units[e] < 0) continue;
      const int64_t position = args.units[e] % positions;
      const float* filter = args.filters + args.units[e] / positions * filter_elements;
      ForEachPixelUnderFilter(
          images, args.size, position / images.width, position % images.width,
          [&](int64_t pixel, int64_t weight) { sums[pixel] += static_cast<double>(args.values[e]) * filter[weight]; });
    }
    for (int64_t p = 0; p < images.elements(); ++p) {
      if (args.target != nullptr) sums[p] -= args.target[i * images.elements() + p];
      const float output = static_cast<float>(sums[p]);
      args.output[i * images.elements() + p] = output;
      squared_sum += static_cast<double>(output) * output;
    }
  }
  if (args.squared_sum != nullptr) *args.squared_sum = squared_sum;
}

void ReferenceWinnerGradient(const WinnerGradientArgs& args) {
  const ImageBatch& images = args.images;
  const int64_t positions = images.positions();
  const int64_t encoder_elements = images.channels * args.encoder_size * args.encoder_size;
  const int64_t decoder_elements = images.channels * args.decoder_size * args.decoder_size;
  const bool tied = args.gradient_decoder == nullptr;
  const double twice_scale = 2.0 * args.scale;
  std::vector<double> encoder(static_cast<size_t>(args.maps * encoder_elements));
  std::vector<double> untied_decoder(tied ? 0 : static_cast<size_t>(args.maps * decoder_elements));
  std::vector<double>& decoder = tied ? encoder : untied_decoder;
  std::vector<double> bias(static_cast<size_t>(args.maps)), decoder_bias(static_cast<size_t>(images.channels));
  std::fill_n(args.active_rows, args.maps, 0);
  std::vector<bool> active(static_cast<size_t>(args.maps));
  for (int64_t i = 0; i < images.rows; ++i) {
    const float* x = args.x + i * images.elements();
    const float* residual = args.residual + i * images.elements();
    std::fill(active.begin(), active.end(), false);
    for (int64_t e = i * args.entries; e < (i + 1) * args.entries; ++e) {
      if (args.units[e] < 0) continue;
      const int64_t map = args.units[e] / positions;
      const int64_t row = args.units[e] % positions / images.width, column = args.units[e] % images.width;
      double product = 0;
      ForEachPixelUnderFilter(images, args.decoder_size, row, column, [&](int64_t pixel, int64_t weight) {
        product += static_cast<double>(residual[pixel]) * args.decoder[map * decoder_elements + weight];
        decoder[map * decoder_elements + weight] += twice_scale * args.values[e] * residual[pixel];
      });
      const double dz = twice_scale * product;
      ForEachPixelUnderFilter(images, args.encoder_size, row, column, [&](int64_t pixel, int64_t weight) {
        encoder[map * encoder_elements + weight] += dz * x[pixel];
      });
      bias[map] += dz;
      active[map] = true;
    }
    for (int64_t m = 0; m < args.maps; ++m) args.active_rows[m] += active[m];
    for (int64_t p = 0; p < images.elements(); ++p) decoder_bias[p / positions] += twice_scale * residual[p];
  }
  RoundTo(encoder, args.gradient_encoder);
  if (!tied) RoundTo(decoder, args.gradient_decoder);
  RoundTo(bias, args.gradient_bias);
  RoundTo(decoder_bias, args.gradient_decoder_bias);
}

void ReferenceConvPool(const ConvPoolArgs& args) {
  const ImageBatch& images = args.images;
  const Pooling& pooling = args.pooling;
  const int64_t pooled_height = pooling.Extent(images.height), pooled_width = pooling.Extent(images.width);
  std::vector<float> activities;
  float* out = args.output;
  for (int64_t i = 0; i < images.rows; ++i) {
    Activities(args.filters, args.bias, args.maps, args.size, args.images, args.x + i * images.elements(), activities);
    for (int64_t m = 0; m < args.maps; ++m) {
      const float* map = activities.data() + m * images.positions();
      for (int64_t py = 0; py < pooled_height; ++py) {
        const int64_t top = py * pooling.stride - pooling.padding;
        for (int64_t px = 0; px < pooled_width; ++px) {
          const int64_t left = px * pooling.stride - pooling.padding;
          float largest = 0;
          for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + pooling.width, images.height); ++y) {
            for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + pooling.width, images.width); ++x) {
              largest = std::max(largest, map[y * images.width + x]);
            }
          }
          *out++ = largest;
        }
      }
    }
  }
}

void ReferenceAdamUpdate(const AdamUpdateArgs& args) {
  const double beta1 = args.beta1, beta2 = args.beta2;
  const double first_correction = 1 - std::pow(beta1, static_cast<double>(args.step));
  const double second_correction = 1 - std::pow(beta2, static_cast<double>(args.step));
  for (int64_t i = 0; i < args.size; ++i) {
    const double gradient = args.gradient[i];
    const double first = beta1 * args.first[i] + (1 - beta1) * gradient;
    const double second = beta2 * args.second[i] + (1 - beta2) * gradient * gradient;
    args.first[i] = static_cast<float>(first);
    args.second[i] = static_cast<float>(second);
    args.parameter[i] =
        static_cast<float>(args.parameter[i] - args.rate * (first / first_correction) /
                                                   (std::sqrt(second / second_correction) + args.epsilon));
  }
}

}  // namespace kwta
