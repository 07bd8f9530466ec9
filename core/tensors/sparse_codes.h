// Codes of a batch as compressed sparse rows.
#pragma once

#include <cstdint>
#include <vector>

namespace kwta {

// The active units of each row and their activations. Entries row_offsets[i] .. row_offsets[i+1]-1 belong to row i,
// with ascending indices. Plain data: concurrent reads are safe.
struct SparseCodes {
  int64_t units = 0;                       // Width of the dense code; every index is below it.
  std::vector<int64_t> row_offsets = {0};  // rows + 1.
  std::vector<int32_t> indices;
  std::vector<float> values;

  int64_t rows() const { return static_cast<int64_t>(row_offsets.size()) - 1; }
  int64_t entries() const { return static_cast<int64_t>(indices.size()); }

  // Returns the number of entries in every row, or -1 if rows differ. No rows: 0.
  int64_t RectangularWidth() const;

  // Appends rows begin .. begin + count - 1 of `other`. REQUIRES: they exist, and both have the same units.
  void AppendRows(const SparseCodes& other, int64_t begin, int64_t count);

  // Writes [rows, units] to `dense`, row-major, zeros included.
  void ToDense(float* dense) const;
};

}  // namespace kwta
