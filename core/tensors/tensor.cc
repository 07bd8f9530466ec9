#include "core/tensors/tensor.h"

#include <cmath>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/divide_up.h"

namespace kwta {
namespace {

template <typename T, typename IsFinite>
std::optional<ElementPosition> FindNonFiniteAs(const RowsView& rows, IsFinite is_finite) {
  const T* elements = static_cast<const T*>(rows.data);
  for (int64_t i = 0; i < rows.rows; ++i) {
    const T* row = elements + i * rows.width;
    // Check the whole row first, without a branch per element, so that the compiler vectorises the usual case.
    bool finite = true;
    for (int64_t j = 0; j < rows.width; ++j) finite &= is_finite(row[j]);
    if (finite) continue;
    for (int64_t j = 0; j < rows.width; ++j) {
      if (!is_finite(row[j])) return ElementPosition{i, j};
    }
  }
  return std::nullopt;
}

}  // namespace

int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

std::string ShapeString(const Shape& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

std::optional<ElementPosition> FindNonFinite(const RowsView& rows) {
  switch (rows.dtype) {
    case DType::kF32:
      // Tests for an exponent of all ones. It looks at bits, so no compiler flag can assume NaN away.
      return FindNonFiniteAs<uint32_t>(rows, [](uint32_t bits) { return (bits & 0x7F800000u) != 0x7F800000u; });
    case DType::kF16:
      return FindNonFiniteAs<uint16_t>(rows, [](uint16_t bits) { return (bits & 0x7C00u) != 0x7C00u; });
    case DType::kBF16:
      return FindNonFiniteAs<uint16_t>(rows, [](uint16_t bits) { return (bits & 0x7F80u) != 0x7F80u; });
    case DType::kU8:
    case DType::kI32:
    case DType::kI64:
      return std::nullopt;
  }
  return std::nullopt;
}

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), elements_(ElementCount(shape_)) {
  if (elements_ == 0) return;
  const size_t rounded = RoundUp(bytes(), 64);
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, rounded);
  data_.reset(memory);
}

Tensor Tensor::Clone() const {
  Tensor copy(dtype_, shape_);
  if (elements_ > 0) std::memcpy(copy.data(), data(), bytes());
  return copy;
}

RowsView Tensor::rows() const {
  const int64_t rows = shape_.front();
  return {dtype_, data(), rows, rows == 0 ? 0 : elements_ / rows};
}

}  // namespace kwta
