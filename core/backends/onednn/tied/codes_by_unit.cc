#include "core/backends/onednn/tied/codes_by_unit.h"

#include <numeric>

namespace kwta::onednn::tied {

void CodesByUnit::Sort(const int32_t* indices, int64_t rows, int64_t k, int64_t units) {
  const int64_t count = rows * k;
  offsets_.assign(static_cast<size_t>(units) + 1, 0);
  entries_.resize(static_cast<size_t>(count));
  rows_.resize(static_cast<size_t>(count));
  for (int64_t e = 0; e < count; ++e) ++offsets_[indices[e] + 1];
  std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
  next_.assign(offsets_.begin(), offsets_.end() - 1);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t e = i * k; e < (i + 1) * k; ++e) {
      const int64_t place = next_[indices[e]]++;
      entries_[place] = e;
      rows_[place] = static_cast<int32_t>(i);
    }
  }
}

}  // namespace kwta::onednn::tied
