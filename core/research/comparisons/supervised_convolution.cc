#include "core/research/comparisons/supervised_convolution.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/invalid_field.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int64_t kImagesAPart = 8;  // one thread sums the gradients of a part, whatever the number of threads
constexpr float kMomentDecay = 0.9f, kSquareDecay = 0.999f, kTiny = 1e-8f;  // Adam's

ConvolutionParameters Zeros(const ConvolutionShape& shape) {
  ConvolutionParameters zeros;
  zeros.filters.resize(shape.maps * shape.patch());
  zeros.bias.resize(shape.maps);
  zeros.weights.resize(shape.pooled() * shape.classes);
  zeros.classifier_bias.resize(shape.classes);
  return zeros;
}

template <typename Visit>
void ForEachTensor(ConvolutionParameters& a, const ConvolutionParameters& b, const Visit& visit) {
  visit(a.filters, b.filters);
  visit(a.bias, b.bias);
  visit(a.weights, b.weights);
  visit(a.classifier_bias, b.classifier_bias);
}

void Fill(std::vector<float>& values, double sigma, Rng& rng) {
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
}

// Copies what the filters see at every position, zeros outside the image: [height * width, patch].
void CopyPatches(const float* image, const ConvolutionShape& shape, float* patches) {
  const int64_t size = shape.filter_size, before = (size - 1) / 2;
  for (int64_t row = 0; row < shape.height; ++row) {
    for (int64_t column = 0; column < shape.width; ++column) {
      const int64_t left = column - before;
      const int64_t first = std::max<int64_t>(0, -left), last = std::min(size, shape.width - left);  // inside the image
      for (int64_t c = 0; c < shape.channels; ++c) {
        for (int64_t dy = 0; dy < size; ++dy, patches += size) {
          const int64_t y = row - before + dy;
          std::fill(patches, patches + size, 0.0f);
          if (y < 0 || y >= shape.height) continue;
          const float* seen = image + (c * shape.height + y) * shape.width + left;
          std::copy(seen + first, seen + last, patches + first);
        }
      }
    }
  }
}

// Returns the filters with the maps side by side, [patch, lanes].
std::vector<float> Transposed(const ConvolutionShape& shape, const std::vector<float>& filters) {
  const int64_t lanes = RoundUp(shape.maps, kProbeLanes), patch = shape.patch();
  std::vector<float> transposed(patch * lanes);
  for (int64_t m = 0; m < shape.maps; ++m) {
    for (int64_t e = 0; e < patch; ++e) transposed[e * lanes + m] = filters[m * patch + e];
  }
  return transposed;
}

absl::Status Validate(const ConvolutionShape& shape) {
  const int64_t side = std::min(shape.height, shape.width);
  if (shape.channels < 1 || side < 1) return InvalidField("image extents", side, "at least 1 each");
  if (shape.maps < 1) return InvalidField("maps", shape.maps, "at least 1");
  if (shape.classes < 2) return InvalidField("classes", shape.classes, "at least 2");
  if (shape.filter_size < 1 || shape.filter_size > side) {
    return InvalidField("filter_size", shape.filter_size, absl::StrCat("1 .. ", side, ", the image's smaller side"));
  }
  const Pooling& pooling = shape.pooling;
  if (pooling.width < 1 || pooling.stride < 1 || pooling.padding < 0 || pooling.padding >= pooling.width ||
      side + 2 * pooling.padding < pooling.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooling of width ", pooling.width, ", stride ", pooling.stride, " and padding ", pooling.padding,
                     " leaves nothing of an image of side ", side, "; expected padding < width <= side + 2 padding"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SupervisedConvolution> SupervisedConvolution::Create(const ConvolutionShape& shape, uint64_t seed,
                                                                    ThreadPool& pool) {
  KWTA_RETURN_IF_ERROR(Validate(shape));
  return SupervisedConvolution(shape, seed, pool);
}

SupervisedConvolution::SupervisedConvolution(const ConvolutionShape& shape, uint64_t seed, ThreadPool& pool)
    : shape_(shape),
      pool_(&pool),
      kernels_(&ProbeKernelsFor(simd::AvailableInstructionSets().front())),
      adam_(&simd::AdamKernelsFor(simd::AvailableInstructionSets().front())),
      parameters_(Zeros(shape)) {
  Rng rng(seed);
  Fill(parameters_.filters, std::sqrt(2.0 / static_cast<double>(shape.patch())), rng);
  Fill(parameters_.weights, 0.01, rng);
}

// Scratch memory for one image.
struct SupervisedConvolution::Pass {
  explicit Pass(const ConvolutionShape& shape)
      : patches(shape.height * shape.width * shape.patch()),
        activities(shape.height * shape.width * RoundUp(shape.maps, kProbeLanes)),
        pooled(shape.pooled()),
        sources(shape.pooled()),
        scores(shape.classes) {}

  std::vector<float> patches;     // [positions, patch]
  std::vector<float> activities;  // [positions, lanes]
  std::vector<float> pooled;
  std::vector<int32_t> sources;  // the position that each pooled activity came from; -1 if the activity is zero
  std::vector<float> scores;
};

void SupervisedConvolution::Forward(const float* image, const std::vector<float>& transposed, Pass* pass) const {
  const int64_t maps = shape_.maps, lanes = RoundUp(maps, kProbeLanes), positions = shape_.height * shape_.width;
  CopyPatches(image, shape_, pass->patches.data());
  float* z = pass->activities.data();
  for (int64_t p = 0; p < positions; ++p) std::copy(parameters_.bias.begin(), parameters_.bias.end(), z + p * lanes);
  kernels_->multiply(pass->patches.data(), transposed.data(), positions, shape_.patch(), static_cast<int>(lanes), z);
  std::fill(pass->pooled.begin(), pass->pooled.end(), 0.0f);
  std::fill(pass->sources.begin(), pass->sources.end(), -1);
  const Pooling& pooling = shape_.pooling;
  const int64_t down = pooling.Extent(shape_.height), across = pooling.Extent(shape_.width);
  for (int64_t window = 0; window < down * across; ++window) {
    float* most = pass->pooled.data() + window * maps;
    int32_t* source = pass->sources.data() + window * maps;
    const int64_t top = window / across * pooling.stride - pooling.padding;
    const int64_t left = window % across * pooling.stride - pooling.padding;
    for (int64_t y = std::max<int64_t>(0, top); y < std::min(shape_.height, top + pooling.width); ++y) {
      for (int64_t x = std::max<int64_t>(0, left); x < std::min(shape_.width, left + pooling.width); ++x) {
        const auto position = static_cast<int32_t>(y * shape_.width + x);
        const float* activity = z + position * lanes;
        for (int64_t m = 0; m < maps; ++m) {
          const int32_t more = -static_cast<int32_t>(activity[m] > most[m]);  // a mask instead of a branch
          source[m] = (position & more) | (source[m] & ~more);
          most[m] = std::max(activity[m], most[m]);
        }
      }
    }
  }
}

void SupervisedConvolution::Scores(const float* pooled, float* scores) const {
  std::copy(parameters_.classifier_bias.begin(), parameters_.classifier_bias.end(), scores);
  for (int64_t f = 0; f < shape_.pooled(); ++f) {
    if (pooled[f] == 0) continue;
    const float* weights = parameters_.weights.data() + f * shape_.classes;
    for (int c = 0; c < shape_.classes; ++c) scores[c] += pooled[f] * weights[c];
  }
}

double SupervisedConvolution::LossAndGradient(const float* const* images, const int32_t* labels, int64_t rows,
                                              const float* kept, ConvolutionParameters* gradient) const {
  const int64_t pooled_width = shape_.pooled(), patch = shape_.patch();
  const std::vector<float> transposed = Transposed(shape_, parameters_.filters);
  const int64_t parts = DivideUp(rows, kImagesAPart);
  std::vector<ConvolutionParameters> gradients(parts);
  std::vector<double> losses(parts);
  const float share = 1 / static_cast<float>(rows);
  pool_->ParallelFor(parts, 1, [&](int64_t first, int64_t last, int) {
    Pass pass(shape_);
    std::vector<float>&pooled = pass.pooled, &scores = pass.scores;
    for (int64_t part = first; part < last; ++part) {
      ConvolutionParameters& sum = gradients[part] = Zeros(shape_);
      for (int64_t i = part * kImagesAPart; i < std::min(rows, (part + 1) * kImagesAPart); ++i) {
        Forward(images[i], transposed, &pass);
        const float* factors = kept == nullptr ? nullptr : kept + i * pooled_width;
        for (int64_t f = 0; factors != nullptr && f < pooled_width; ++f) pooled[f] *= factors[f];
        Scores(pooled.data(), scores.data());
        const float largest = *std::max_element(scores.begin(), scores.end());
        double total = 0;
        for (const float score : scores) total += std::exp(double{score} - largest);
        losses[part] += std::log(total) + largest - scores[labels[i]];
        // d loss / d scores = softmax - one-hot
        for (float& score : scores) score = share * static_cast<float>(std::exp(double{score} - largest) / total);
        scores[labels[i]] -= share;
        for (int c = 0; c < shape_.classes; ++c) sum.classifier_bias[c] += scores[c];
        for (int64_t f = 0; f < pooled_width; ++f) {
          if (pass.sources[f] < 0 || (factors != nullptr && factors[f] == 0)) continue;
          const float* weights = parameters_.weights.data() + f * shape_.classes;
          float* weight_sums = sum.weights.data() + f * shape_.classes;
          float back = 0;
          for (int c = 0; c < shape_.classes; ++c) {
            weight_sums[c] += pooled[f] * scores[c];
            back += weights[c] * scores[c];
          }
          if (factors != nullptr) back *= factors[f];
          // Through the maximum to the activity that it chose, and from there to the filter's input.
          const int64_t map = f % shape_.maps;
          const float* seen = pass.patches.data() + pass.sources[f] * patch;
          float* filter_sums = sum.filters.data() + map * patch;
          for (int64_t e = 0; e < patch; ++e) filter_sums[e] += back * seen[e];
          sum.bias[map] += back;
        }
      }
    }
  });
  *gradient = std::move(gradients[0]);
  double loss = losses[0];
  for (int64_t part = 1; part < parts; ++part) {
    loss += losses[part];
    ForEachTensor(*gradient, gradients[part], [](std::vector<float>& to, const std::vector<float>& from) {
      for (size_t j = 0; j < to.size(); ++j) to[j] += from[j];
    });
  }
  return loss / static_cast<double>(rows);
}

absl::Status SupervisedConvolution::Train(const float* x, const std::vector<int32_t>& labels,
                                          const ConvolutionOptions& options,
                                          const std::function<absl::Status(double, double)>& report) {
  const auto rows = static_cast<int64_t>(labels.size());
  if (rows < 1) return absl::InvalidArgumentError("there are no rows to train on");
  for (int64_t i = 0; i < rows; ++i) {
    if (labels[i] < 0 || labels[i] >= shape_.classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", labels[i], " of row ", i, " is not in 0 .. ", shape_.classes - 1));
    }
  }
  if (options.epochs < 1) return InvalidField("epochs", options.epochs, "at least 1");
  if (options.batch_size < 1) return InvalidField("batch_size", options.batch_size, "at least 1");
  if (!(options.learning_rate > 0)) return InvalidField("learning_rate", options.learning_rate, "above 0");
  if (!(options.l2 >= 0)) return InvalidField("l2", options.l2, "at least 0");
  if (!(options.dropout >= 0 && options.dropout < 1))
    return InvalidField("dropout", options.dropout, "0 .. 1 without 1");

  const int64_t batches = DivideUp(rows, options.batch_size);
  ConvolutionParameters moment = Zeros(shape_), square = Zeros(shape_), gradient;
  std::vector<const float*> images(options.batch_size);
  std::vector<int32_t> batch_labels(options.batch_size);
  std::vector<float> kept(options.dropout > 0 ? options.batch_size * shape_.pooled() : 0);
  int64_t updates = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    Rng rng(options.seed, epoch);
    const std::vector<uint32_t> order = RandomPermutation(rows, rng);
    for (int64_t begin = 0; begin < rows; begin += options.batch_size) {
      const int64_t count = std::min<int64_t>(options.batch_size, rows - begin);
      for (int64_t i = 0; i < count; ++i) {
        images[i] = x + order[begin + i] * shape_.image();
        batch_labels[i] = labels[order[begin + i]];
      }
      for (float& factor : kept) {
        factor = rng.Uniform() <= options.dropout ? 0.0f : static_cast<float>(1 / (1 - options.dropout));
      }
      const double batch_loss =
          LossAndGradient(images.data(), batch_labels.data(), count, kept.empty() ? nullptr : kept.data(), &gradient);
      if (!std::isfinite(batch_loss)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "training diverged in epoch ", epoch + 1, "; take a smaller learning_rate than ", options.learning_rate));
      }
      const double done = static_cast<double>(updates) / static_cast<double>(batches * options.epochs);
      ++updates;
      const simd::AdamStep step = simd::AdamStepAt(updates, options.learning_rate * std::min(1.0, 2 * (1 - done)),
                                                   kMomentDecay, kSquareDecay, kTiny);
      const auto update = [&](std::vector<float>& parameter, std::vector<float>& g, std::vector<float>& m,
                              std::vector<float>& s, double l2) {
        adam_->update_with_l2(step, static_cast<float>(l2), g.data(), static_cast<int64_t>(parameter.size()), m.data(),
                              s.data(), parameter.data());
      };
      update(parameters_.filters, gradient.filters, moment.filters, square.filters, 0);
      update(parameters_.bias, gradient.bias, moment.bias, square.bias, 0);
      update(parameters_.weights, gradient.weights, moment.weights, square.weights, options.l2);
      update(parameters_.classifier_bias, gradient.classifier_bias, moment.classifier_bias, square.classifier_bias, 0);
      if (report) KWTA_RETURN_IF_ERROR(report(static_cast<double>(updates) / static_cast<double>(batches), batch_loss));
    }
  }
  return absl::OkStatus();
}

double SupervisedConvolution::ErrorRate(const float* x, const std::vector<int32_t>& labels) const {
  const auto rows = static_cast<int64_t>(labels.size());
  const std::vector<float> transposed = Transposed(shape_, parameters_.filters);
  std::vector<char> wrong(rows);
  pool_->ParallelFor(rows, kImagesAPart, [&](int64_t begin, int64_t end, int) {
    Pass pass(shape_);
    for (int64_t i = begin; i < end; ++i) {
      Forward(x + i * shape_.image(), transposed, &pass);
      Scores(pass.pooled.data(), pass.scores.data());
      wrong[i] = std::max_element(pass.scores.begin(), pass.scores.end()) - pass.scores.begin() != labels[i];
    }
  });
  return static_cast<double>(std::count(wrong.begin(), wrong.end(), 1)) / static_cast<double>(rows);
}

}  // namespace kwta
