#include "core/training/fine_tuning/tuning_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {

absl::StatusOr<TuningRows> TuningRows::Create(const ModelBundle& model, const Dataset& data,
                                              const InputDropout& dropout, int max_shift) {
  const Shape& shape = data.row_shape();
  if (max_shift > 0 && shape.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_shift is ", max_shift, ", but rows of shape ", ShapeString(shape), " are no images"));
  }
  if (max_shift > 0 && max_shift >= std::min(shape.back(), shape[shape.size() - 2])) {
    return absl::InvalidArgumentError(absl::StrCat("max_shift is ", max_shift, "; images of shape ", ShapeString(shape),
                                                   " leave a range of 0 .. ",
                                                   std::min(shape.back(), shape[shape.size() - 2]) - 1));
  }
  v1::PreprocessingSpec spec = model.description.preprocessing();
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(&spec));
  KWTA_ASSIGN_OR_RETURN(Preprocessor preprocessor,
                        Preprocessor::Load(spec, model.description.input_width(), model.tensors));
  return TuningRows(data, std::move(preprocessor), dropout, max_shift);
}

absl::Status TuningRows::Read(const uint32_t* which, int64_t count, Rng& rng, float* out) {
  const int64_t stored_width = data_->width();
  stored_.resize(count * stored_width * DTypeSize(data_->dtype()));
  data_->Gather(which, count, stored_.data());
  RowsView rows{data_->dtype(), stored_.data(), count, stored_width};
  if (max_shift_ > 0) {
    floats_.resize(count * stored_width);
    preprocessor_.ToFloat(rows, floats_.data());
    const uint64_t places = 2 * static_cast<uint64_t>(max_shift_) + 1;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t down = static_cast<int64_t>(rng.UniformBelow(places)) - max_shift_;
      const int64_t right = static_cast<int64_t>(rng.UniformBelow(places)) - max_shift_;
      Shift(down, right, floats_.data() + i * stored_width);
    }
    rows = {DType::kF32, floats_.data(), count, stored_width};
  }
  KWTA_RETURN_IF_ERROR(preprocessor_.Apply(rows, out));
  if (dropout_.probability == 0) return absl::OkStatus();
  const auto kept = static_cast<float>(dropout_.scales ? 1 / (1 - dropout_.probability) : 1);
  for (int64_t e = 0; e < count * width(); ++e) {
    out[e] = rng.Uniform() <= dropout_.probability ? 0 : kept * out[e];
  }
  return absl::OkStatus();
}

void TuningRows::Shift(int64_t down, int64_t right, float* row) {
  const Shape& shape = data_->row_shape();
  const int64_t width = shape.back(), height = shape[shape.size() - 2];
  const int64_t planes = data_->width() / (width * height);
  moved_.assign(data_->width(), 0.0f);
  for (int64_t plane = 0; plane < planes; ++plane) {
    for (int64_t y = std::max<int64_t>(0, down); y < std::min(height, height + down); ++y) {
      for (int64_t x = std::max<int64_t>(0, right); x < std::min(width, width + right); ++x) {
        moved_[(plane * height + y) * width + x] = row[(plane * height + y - down) * width + x - right];
      }
    }
  }
  std::copy(moved_.begin(), moved_.end(), row);
}

}  // namespace kwta
