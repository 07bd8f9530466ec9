// Arrays in host memory. A Tensor owns its elements; a RowsView does not.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tensors/dtype.h"

namespace kwta {

using Shape = std::vector<int64_t>;

// Returns the product of the extents (1 for no dimensions). REQUIRES: extents are not negative and the product fits.
int64_t ElementCount(const Shape& shape);
// Returns a string such as "[2, 3]".
std::string ShapeString(const Shape& shape);

// Rows of one dtype, row-major without gaps. The view does not own them.
struct RowsView {
  DType dtype = DType::kF32;
  const void* data = nullptr;
  int64_t rows = 0;
  int64_t width = 0;

  size_t row_bytes() const { return static_cast<size_t>(width) * DTypeSize(dtype); }
  const void* row(int64_t i) const { return static_cast<const char*>(data) + static_cast<size_t>(i) * row_bytes(); }
  // Returns rows begin .. begin + count - 1. REQUIRES: they exist.
  RowsView Slice(int64_t begin, int64_t count) const { return {dtype, row(begin), count, width}; }
};

// The first element that is NaN or infinite, if any. Integer types have none.
struct ElementPosition {
  int64_t row;
  int64_t column;
};
std::optional<ElementPosition> FindNonFinite(const RowsView& rows);

// A dense row-major array that owns its memory, aligned to 64 bytes and initially zero. Movable, not copyable: Clone
// makes the cost visible. Concurrent reads are safe.
class Tensor {
 public:
  Tensor() = default;
  // REQUIRES: extents are not negative and the bytes fit into memory.
  Tensor(DType dtype, Shape shape);

  Tensor(Tensor&&) = default;
  Tensor& operator=(Tensor&&) = default;
  Tensor Clone() const;
  // REQUIRES: `shape` has as many elements as the tensor.
  void Reshape(Shape shape) { shape_ = std::move(shape); }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return elements_; }
  size_t bytes() const { return static_cast<size_t>(elements_) * DTypeSize(dtype_); }

  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  // REQUIRES: T is the C++ type of dtype().
  template <typename T>
  T* as() {
    return static_cast<T*>(data());
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data());
  }

  // Views the first dimension as rows and flattens the others. REQUIRES: at least one dimension.
  RowsView rows() const;

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  DType dtype_ = DType::kF32;
  Shape shape_ = {0};
  int64_t elements_ = 0;
  std::unique_ptr<void, Free> data_;
};

}  // namespace kwta
