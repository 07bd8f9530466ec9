#include "core/tensors/tensor.h"

#include <cmath>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/aligned_memory.h"
#include "core/base/divide_up.h"

namespace kwta {
namespace {

// T holds the bits of a number, kExponent those of its exponent, which are all ones in NaN and infinity. Looks at bits,
// so that no compiler flag can assume NaN away.
template <typename T, T kExponent>
std::optional<ElementPosition> FindNonFiniteAs(const RowsView& rows) {
  // Adding the exponent's lowest bit carries into the sign if all bits are ones.
  constexpr T kLowest = kExponent & -kExponent;
  constexpr T kSign = kExponent + kLowest;
  const T* elements = static_cast<const T*>(rows.data);
  for (int64_t i = 0; i < rows.rows; ++i) {
    const T* row = elements + i * rows.width;
    // Check the whole row first, without a branch per element, so that the compiler vectorises the usual case.
    T carries = 0;
    for (int64_t j = 0; j < rows.width; ++j) carries |= static_cast<T>((row[j] & kExponent) + kLowest);
    if ((carries & kSign) == 0) continue;
    for (int64_t j = 0; j < rows.width; ++j) {
      if ((row[j] & kExponent) == kExponent) return ElementPosition{i, j};
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
      return FindNonFiniteAs<uint32_t, 0x7F800000>(rows);
    case DType::kF16:
      return FindNonFiniteAs<uint16_t, 0x7C00>(rows);
    case DType::kBF16:
      return FindNonFiniteAs<uint16_t, 0x7F80>(rows);
    case DType::kU8:
    case DType::kI32:
    case DType::kI64:
      return std::nullopt;
  }
  return std::nullopt;
}

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), elements_(ElementCount(shape_)) {
  if (elements_ == 0) return;
  void* memory = AllocateArray(bytes(), Pages::kLarge);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, RoundUp(bytes(), kArrayAlignment));
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
