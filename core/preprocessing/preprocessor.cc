#include "core/preprocessing/preprocessor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"
#include "core/simd/byte_values.h"

namespace kwta {
namespace {

// Rows pass through the steps in blocks of about this many elements, so that scratch memory does not grow with the rows
// of a call.
constexpr int64_t kBlockElements = 1 << 18;

template <float (*convert)(uint16_t)>
void ConvertHalves(const void* data, int64_t elements, float* out) {
  const uint16_t* halves = static_cast<const uint16_t*>(data);
  for (int64_t i = 0; i < elements; ++i) out[i] = convert(halves[i]);
}

std::string TensorPrefix(int step) { return absl::StrCat("preprocessing.", step, "."); }

}  // namespace

Preprocessor::Preprocessor(const v1::PreprocessingSpec& spec, std::vector<float> mean)
    : u8_divisor_(spec.u8_divisor()), mean_(std::move(mean)) {}

absl::StatusOr<Preprocessor> Preprocessor::Load(const v1::PreprocessingSpec& spec, int64_t row_width,
                                                const TensorMap& tensors) {
  const auto invalid = [](const absl::Status& status) {
    return absl::DataLossError(absl::StrCat("the model's description is not valid: ", status.message()));
  };
  v1::PreprocessingSpec resolved = spec;
  if (const absl::Status status = ResolvePreprocessing(&resolved); !status.ok()) return invalid(status);
  Shape image = {1, 1, row_width};
  if (spec.has_input()) image = {spec.input().channels(), spec.input().height(), spec.input().width()};
  absl::StatusOr<std::vector<Shape>> shapes = PreprocessedShapes(resolved, image);
  if (!shapes.ok()) return invalid(shapes.status());

  const int first = DatasetSteps(resolved);
  Preprocessor preprocessor(resolved, {});
  preprocessor.input_shape_ = preprocessor.output_shape_ = (*shapes)[first];
  if (ElementCount(preprocessor.input_shape_) != row_width) {
    return absl::DataLossError(absl::StrCat("the model's description has rows of ", row_width,
                                            " elements, but its preprocessing reads ",
                                            ShapeString(preprocessor.input_shape_)));
  }
  for (int i = first; i < resolved.steps_size(); ++i) {
    KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Step> step,
                          LoadStep(resolved.steps(i), TensorPrefix(i), (*shapes)[i], tensors));
    preprocessor.AddStep(i, std::move(step), (*shapes)[i + 1]);
  }
  if (resolved.subtract_mean()) {
    KWTA_ASSIGN_OR_RETURN(preprocessor.mean_, CopyFloats(tensors, "mean", {ElementCount(preprocessor.output_shape_)}));
  }
  return preprocessor;
}

void Preprocessor::AddStep(int index, std::shared_ptr<const Step> step, const Shape& output) {
  steps_.push_back({TensorPrefix(index), std::move(step), ElementCount(output)});
  output_shape_ = output;
}

absl::Status Preprocessor::Apply(const RowsView& rows, float* out) const {
  KWTA_RETURN_IF_ERROR(ApplySteps(rows, out));
  SubtractMean(rows.rows, out);
  return absl::OkStatus();
}

void Preprocessor::SubtractMean(int64_t rows, float* x) const {
  const int64_t width = static_cast<int64_t>(mean_.size());
  if (width == 0) return;
  for (int64_t i = 0; i < rows; ++i, x += width) {
    for (int64_t d = 0; d < width; ++d) x[d] -= mean_[d];
  }
}

absl::Status Preprocessor::ApplySteps(const RowsView& rows, float* out) const {
  if (steps_.empty()) {
    ToFloat(rows, out);
    return absl::OkStatus();
  }
  int64_t widest = rows.width;
  for (const NamedStep& step : steps_) widest = std::max(widest, step.output_width);
  const int64_t block = std::min(rows.rows, std::max<int64_t>(1, kBlockElements / widest));
  std::vector<float> from(block * widest), to(block * widest);
  for (int64_t begin = 0; begin < rows.rows; begin += block) {
    const int64_t count = std::min(block, rows.rows - begin);
    ToFloat(rows.Slice(begin, count), from.data());
    for (const NamedStep& step : steps_) {
      step.step->Apply(from.data(), count, to.data());
      from.swap(to);
    }
    const int64_t width = steps_.back().output_width;
    if (const auto bad = FindNonFinite({DType::kF32, from.data(), count, width})) {
      return absl::InvalidArgumentError(absl::StrCat("row ", begin + bad->row,
                                                     " overflows in preprocessing; its elements are too large for a "
                                                     "model that was trained on others"));
    }
    std::copy_n(from.data(), count * width, out + begin * width);
  }
  return absl::OkStatus();
}

std::vector<float> Preprocessor::OffsetOfZeros() const {
  if (steps_.empty()) return mean_;
  const std::vector<float> zeros(ElementCount(input_shape_));
  std::vector<float> offset(ElementCount(output_shape_));
  const RowsView row = {DType::kF32, zeros.data(), 1, static_cast<int64_t>(zeros.size())};
  if (!Apply(row, offset.data()).ok()) return mean_;
  for (float& element : offset) element = -element;
  return offset;
}

void Preprocessor::ToFloat(const RowsView& rows, float* out) const {
  const int64_t elements = rows.rows * rows.width;
  switch (rows.dtype) {
    case DType::kU8:
      return simd::DivideBytes(static_cast<const uint8_t*>(rows.data), elements, u8_divisor_, out);
    case DType::kF16:
      return ConvertHalves<F16ToFloat>(rows.data, elements, out);
    case DType::kBF16:
      return ConvertHalves<BF16ToFloat>(rows.data, elements, out);
    default:
      if (elements > 0) std::memcpy(out, rows.data, static_cast<size_t>(elements) * sizeof(float));
  }
}

void Preprocessor::Export(TensorMap* tensors) const {
  for (const NamedStep& step : steps_) step.step->Export(step.prefix, tensors);
  if (!mean_.empty()) (*tensors)["mean"] = FloatTensor(mean_, {static_cast<int64_t>(mean_.size())});
}

}  // namespace kwta
