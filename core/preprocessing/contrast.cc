#include "core/preprocessing/contrast.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace kwta {
namespace {

class GlobalContrastStep : public Step {
 public:
  GlobalContrastStep(const Shape& input, const v1::GlobalContrastStep& spec)
      : width_(ElementCount(input)), constant_(spec.constant()), unit_length_(spec.unit_length()) {}

  void Apply(const float* x, int64_t rows, float* out) const override {
    for (int64_t i = 0; i < rows; ++i, x += width_, out += width_) {
      const double mean = std::accumulate(x, x + width_, 0.0) / static_cast<double>(width_);
      double squared = 0;
      for (int64_t d = 0; d < width_; ++d) squared += (x[d] - mean) * (x[d] - mean);
      if (!unit_length_) squared /= static_cast<double>(width_);
      const double factor = 1 / std::sqrt(squared + constant_);
      for (int64_t d = 0; d < width_; ++d) out[d] = static_cast<float>((x[d] - mean) * factor);
    }
  }

 private:
  const int64_t width_;
  const double constant_;
  const bool unit_length_;
};

class LocalContrastStep : public Step {
 public:
  LocalContrastStep(const Shape& input, const v1::LocalContrastStep& spec)
      : height_(input[1]),
        width_(input[2]),
        planes_(spec.across_channels() ? input[0] : 1),
        images_(input[0] / planes_),
        constant_(spec.constant()),
        weights_(spec.window()) {
    const uint32_t middle = spec.window() / 2;
    const double sigma = spec.window() / 6.0;
    for (size_t t = 0; t < weights_.size(); ++t) {
      const double distance = (static_cast<double>(t) - static_cast<double>(middle)) / sigma;
      weights_[t] = std::exp(-0.5 * distance * distance);
    }
  }

  void Apply(const float* x, int64_t rows, float* out) const override {
    const int64_t pixels = height_ * width_;
    Scratch scratch{std::vector<double>(pixels), std::vector<double>(pixels), std::vector<double>(pixels)};
    for (int64_t i = 0; i < rows * images_; ++i, x += planes_ * pixels, out += planes_ * pixels) {
      Normalise(x, out, scratch);
    }
  }

 private:
  struct Scratch {
    std::vector<double> sum, blurred, lines;  // [height, width]
  };

  // Normalises one image of planes_ channels that share a neighbourhood.
  void Normalise(const float* x, float* out, Scratch& scratch) const {
    const int64_t pixels = height_ * width_;
    std::fill(scratch.sum.begin(), scratch.sum.end(), 0.0);
    for (int64_t j = 0; j < planes_ * pixels; ++j) scratch.sum[j % pixels] += x[j];
    Blur(scratch);
    for (int64_t j = 0; j < planes_ * pixels; ++j) {
      out[j] = static_cast<float>(x[j] - scratch.blurred[j % pixels] / static_cast<double>(planes_));
    }
    std::fill(scratch.sum.begin(), scratch.sum.end(), 0.0);
    for (int64_t j = 0; j < planes_ * pixels; ++j) scratch.sum[j % pixels] += double{out[j]} * out[j];
    Blur(scratch);
    double total = 0;
    for (double& s : scratch.blurred) {
      s = std::sqrt(s / static_cast<double>(planes_));
      total += s;
    }
    const double least = std::max(total / static_cast<double>(pixels), constant_);
    for (int64_t j = 0; j < planes_ * pixels; ++j) {
      out[j] = static_cast<float>(out[j] / std::max(scratch.blurred[j % pixels], least));
    }
  }

  // Sets blurred to the weighted mean of sum over the part of the window inside the image. The weights are a product of
  // a line factor and a column factor, and so is the sum of those that remain at a border.
  void Blur(Scratch& scratch) const {
    BlurLines(scratch.sum.data(), width_, 1, height_, width_, scratch.lines.data());
    BlurLines(scratch.lines.data(), height_, width_, width_, 1, scratch.blurred.data());
  }

  // Blurs `lines` lines of `length` elements that lie `stride` apart; lines begin `line_stride` apart.
  void BlurLines(const double* in, int64_t length, int64_t stride, int64_t lines, int64_t line_stride,
                 double* out) const {
    const int64_t middle = static_cast<int64_t>(weights_.size()) / 2;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t begin = std::max<int64_t>(0, i - middle), end = std::min(length - 1, i + middle);
      double weight = 0;
      for (int64_t j = begin; j <= end; ++j) weight += weights_[j - i + middle];
      for (int64_t line = 0; line < lines; ++line) {
        double sum = 0;
        for (int64_t j = begin; j <= end; ++j) sum += weights_[j - i + middle] * in[line * line_stride + j * stride];
        out[line * line_stride + i * stride] = sum / weight;
      }
    }
  }

  const int64_t height_, width_;
  const int64_t planes_;  // channels that share a neighbourhood
  const int64_t images_;  // of planes_ channels each, in a row
  const double constant_;
  std::vector<double> weights_;  // [window], in one direction
};

}  // namespace

std::shared_ptr<const Step> MakeGlobalContrastStep(const Shape& input, const v1::GlobalContrastStep& spec) {
  return std::make_shared<GlobalContrastStep>(input, spec);
}

std::shared_ptr<const Step> MakeLocalContrastStep(const Shape& input, const v1::LocalContrastStep& spec) {
  return std::make_shared<LocalContrastStep>(input, spec);
}

}  // namespace kwta
