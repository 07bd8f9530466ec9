// The codes of a batch, ordered by unit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kwta::onednn::tied {

// Lists the entries of a batch's codes that name each unit: those at offsets[j] <= place < offsets[j + 1] name unit j.
// Entry e of codes [rows, k] is in row e / k. Entries of a unit ascend. Reuses its memory between batches.
class CodesByUnit {
 public:
  // indices is [rows, k]; each is below `units`.
  void Sort(const int32_t* indices, int64_t rows, int64_t k, int64_t units);

  int64_t count(int64_t unit) const { return offsets_[unit + 1] - offsets_[unit]; }
  // The numbers of the unit's entries, and their rows; count(unit) of each.
  const int64_t* entries(int64_t unit) const { return entries_.data() + offsets_[unit]; }
  const int32_t* rows(int64_t unit) const { return rows_.data() + offsets_[unit]; }

 private:
  std::vector<int64_t> offsets_;  // [units + 1]
  std::vector<int64_t> next_;     // [units]
  std::vector<int64_t> entries_;  // [rows * k]
  std::vector<int32_t> rows_;     // [rows * k]
};

}  // namespace kwta::onednn::tied
