#include "core/preprocessing/resize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace kwta {
namespace {

// The weights of the input pixels begin, begin + 1, ... of a line in one output pixel.
struct Taps {
  int64_t begin;
  std::vector<float> weights;  // sum 1
};

std::vector<Taps> LineTaps(int64_t in, int64_t out, double a) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  const double spread = std::max(step, 1.0);  // widens the kernel, so that it skips no pixel where the line shrinks
  std::vector<Taps> taps(out);
  for (int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * step - 0.5;
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - 2 * spread)));
    const int64_t end = std::min<int64_t>(in - 1, static_cast<int64_t>(std::floor(centre + 2 * spread)));
    std::vector<double> weights;
    for (int64_t j = begin; j <= end; ++j) {
      weights.push_back(CubicKernel((static_cast<double>(j) - centre) / spread, a));
    }
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    taps[i].begin = begin;
    for (const double weight : weights) taps[i].weights.push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

class ResizeStep : public Step {
 public:
  ResizeStep(const Shape& input, int64_t height, int64_t width, double a)
      : input_(input), rows_(LineTaps(input[1], height, a)), columns_(LineTaps(input[2], width, a)) {}

  void Apply(const float* x, int64_t rows, float* out) const override {
    const int64_t width = static_cast<int64_t>(columns_.size());
    std::vector<float> narrow(input_[1] * width);  // [input height, width]
    for (int64_t plane = 0; plane < rows * input_[0]; ++plane) {
      for (int64_t y = 0; y < input_[1]; ++y, x += input_[2]) {
        for (int64_t j = 0; j < width; ++j) {
          const Taps& taps = columns_[j];
          narrow[y * width + j] = std::inner_product(taps.weights.begin(), taps.weights.end(), x + taps.begin, 0.0f);
        }
      }
      for (const Taps& taps : rows_) {
        std::fill(out, out + width, 0.0f);
        for (size_t t = 0; t < taps.weights.size(); ++t) {
          const float* line = narrow.data() + (taps.begin + static_cast<int64_t>(t)) * width;
          for (int64_t j = 0; j < width; ++j) out[j] += taps.weights[t] * line[j];
        }
        out += width;
      }
    }
  }

 private:
  const Shape input_;
  const std::vector<Taps> rows_;     // one per line of the output
  const std::vector<Taps> columns_;  // one per pixel of a line
};

}  // namespace

double CubicKernel(double t, double a) {
  t = std::fabs(t);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return a * (((t - 5) * t + 8) * t - 4);
  return 0;
}

std::shared_ptr<const Step> MakeResizeStep(const Shape& input, int64_t height, int64_t width, float a) {
  return std::make_shared<ResizeStep>(input, height, width, a);
}

}  // namespace kwta
