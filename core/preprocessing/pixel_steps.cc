#include "core/preprocessing/pixel_steps.h"

#include <algorithm>

namespace kwta {
namespace {

class GreyStep : public Step {
 public:
  explicit GreyStep(const Shape& input) : pixels_(input[1] * input[2]) {}
  void Apply(const float* x, int64_t rows, float* out) const override {
    for (int64_t i = 0; i < rows; ++i, x += 3 * pixels_, out += pixels_) {
      const float *red = x, *green = x + pixels_, *blue = x + 2 * pixels_;
      for (int64_t p = 0; p < pixels_; ++p) out[p] = 0.299f * red[p] + 0.587f * green[p] + 0.114f * blue[p];
    }
  }

 private:
  const int64_t pixels_;
};

class CropStep : public Step {
 public:
  CropStep(const Shape& input, int64_t height, int64_t width) : input_(input), height_(height), width_(width) {}
  void Apply(const float* x, int64_t rows, float* out) const override {
    const int64_t top = (input_[1] - height_) / 2, left = (input_[2] - width_) / 2;
    for (int64_t plane = 0; plane < rows * input_[0]; ++plane, x += input_[1] * input_[2]) {
      for (int64_t y = 0; y < height_; ++y, out += width_) std::copy_n(x + (top + y) * input_[2] + left, width_, out);
    }
  }

 private:
  const Shape input_;
  const int64_t height_, width_;
};

class ScaleStep : public Step {
 public:
  ScaleStep(const Shape& input, float factor) : width_(ElementCount(input)), factor_(factor) {}
  void Apply(const float* x, int64_t rows, float* out) const override {
    for (int64_t j = 0; j < rows * width_; ++j) out[j] = x[j] * factor_;
  }

 private:
  const int64_t width_;
  const float factor_;
};

}  // namespace

std::shared_ptr<const Step> MakeGreyStep(const Shape& input) { return std::make_shared<GreyStep>(input); }

std::shared_ptr<const Step> MakeCropStep(const Shape& input, int64_t height, int64_t width) {
  return std::make_shared<CropStep>(input, height, width);
}

std::shared_ptr<const Step> MakeScaleStep(const Shape& input, float factor) {
  return std::make_shared<ScaleStep>(input, factor);
}

}  // namespace kwta
