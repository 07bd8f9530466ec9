#include "core/preprocessing/preprocessor.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "core/base/invalid_field.h"

namespace kwta {
namespace {

template <float (*convert)(uint16_t)>
void ConvertHalves(const void* data, int64_t elements, float* out) {
  const uint16_t* halves = static_cast<const uint16_t*>(data);
  for (int64_t i = 0; i < elements; ++i) out[i] = convert(halves[i]);
}

}  // namespace

absl::Status ResolvePreprocessing(v1::PreprocessingSpec* spec) {
  if (!spec->has_u8_divisor()) spec->set_u8_divisor(255);
  if (!spec->has_subtract_mean()) spec->set_subtract_mean(false);
  if (!(spec->u8_divisor() > 0) || !std::isfinite(spec->u8_divisor())) {
    return InvalidField("preprocessing.u8_divisor", spec->u8_divisor(), "a finite number above 0, such as 255");
  }
  return absl::OkStatus();
}

Preprocessor::Preprocessor(const v1::PreprocessingSpec& spec, std::vector<float> mean)
    : byte_values_(256), mean_(std::move(mean)) {
  // One binary32 division is correctly rounded, which a multiplication by the reciprocal would not be.
  for (int byte = 0; byte < 256; ++byte) byte_values_[byte] = static_cast<float>(byte) / spec.u8_divisor();
}

void Preprocessor::ToFloat(const RowsView& rows, float* out) const {
  const int64_t elements = rows.rows * rows.width;
  switch (rows.dtype) {
    case DType::kU8: {
      const uint8_t* bytes = static_cast<const uint8_t*>(rows.data);
      const float* values = byte_values_.data();
      for (int64_t i = 0; i < elements; ++i) out[i] = values[bytes[i]];
      return;
    }
    case DType::kF16:
      return ConvertHalves<F16ToFloat>(rows.data, elements, out);
    case DType::kBF16:
      return ConvertHalves<BF16ToFloat>(rows.data, elements, out);
    default:
      if (elements > 0) std::memcpy(out, rows.data, static_cast<size_t>(elements) * sizeof(float));
  }
}

}  // namespace kwta
