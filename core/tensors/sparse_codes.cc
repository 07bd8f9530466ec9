#include "core/tensors/sparse_codes.h"

#include <algorithm>

namespace kwta {

int64_t SparseCodes::RectangularWidth() const {
  if (rows() == 0) return 0;
  const int64_t width = row_offsets[1];
  for (int64_t i = 1; i < rows(); ++i) {
    if (row_offsets[i + 1] - row_offsets[i] != width) return -1;
  }
  return width;
}

void SparseCodes::AppendRows(const SparseCodes& other, int64_t begin, int64_t count) {
  const int64_t first = other.row_offsets[begin];
  const int64_t last = other.row_offsets[begin + count];
  const int64_t shift = row_offsets.back() - first;
  for (int64_t i = begin + 1; i <= begin + count; ++i) row_offsets.push_back(other.row_offsets[i] + shift);
  indices.insert(indices.end(), other.indices.begin() + first, other.indices.begin() + last);
  values.insert(values.end(), other.values.begin() + first, other.values.begin() + last);
}

void SparseCodes::ToDense(float* dense) const {
  std::fill_n(dense, rows() * units, 0.0f);
  for (int64_t i = 0; i < rows(); ++i) {
    for (int64_t e = row_offsets[i]; e < row_offsets[i + 1]; ++e) dense[i * units + indices[e]] = values[e];
  }
}

}  // namespace kwta
