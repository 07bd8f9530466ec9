#include "core/preprocessing/standardise.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/moments.h"

namespace kwta {
namespace {

class StandardiseStep : public Step {
 public:
  StandardiseStep(std::vector<float> mean, std::vector<float> sd, float constant)
      : mean_(std::move(mean)), sd_(std::move(sd)), constant_(constant) {}

  void Apply(const float* x, int64_t rows, float* out) const override {
    const int64_t width = static_cast<int64_t>(mean_.size());
    for (int64_t i = 0; i < rows; ++i, x += width, out += width) {
      for (int64_t d = 0; d < width; ++d) out[d] = (x[d] - mean_[d]) / (sd_[d] + constant_);
    }
  }
  void Export(const std::string& prefix, TensorMap* tensors) const override {
    (*tensors)[prefix + "mean"] = FloatTensor(mean_, {static_cast<int64_t>(mean_.size())});
    (*tensors)[prefix + "sd"] = FloatTensor(sd_, {static_cast<int64_t>(sd_.size())});
  }

 private:
  const std::vector<float> mean_, sd_;  // [width]
  const float constant_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Step>> FitStandardiseStep(const Shape& input, float constant,
                                                               const FittingRows& rows) {
  Moments moments(ElementCount(input));
  KWTA_RETURN_IF_ERROR(rows.for_each_block([&](const float* x, int64_t count) {
    moments.Add(x, count);
    return absl::OkStatus();
  }));
  std::vector<float> sd;
  for (const double variance : moments.Variance()) sd.push_back(static_cast<float>(std::sqrt(variance)));
  return std::make_shared<StandardiseStep>(RoundedMean(moments), std::move(sd), constant);
}

absl::StatusOr<std::shared_ptr<const Step>> LoadStandardiseStep(const Shape& input, float constant,
                                                                const std::string& prefix, const TensorMap& tensors) {
  KWTA_ASSIGN_OR_RETURN(std::vector<float> mean, CopyFloats(tensors, prefix + "mean", {ElementCount(input)}));
  KWTA_ASSIGN_OR_RETURN(std::vector<float> sd, CopyFloats(tensors, prefix + "sd", {ElementCount(input)}));
  return std::make_shared<StandardiseStep>(std::move(mean), std::move(sd), constant);
}

}  // namespace kwta
