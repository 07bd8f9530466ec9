// Operands of one weighted sum (RowOperations::weighted_sum), kept between units so that they keep their memory.
#pragma once

#include <vector>

namespace kwta::onednn::tied {

struct SumTerms {
  void Clear() {
    rows.clear();
    scales.clear();
  }
  void Add(const float* row, float scale) {
    rows.push_back(row);
    scales.push_back(scale);
  }

  std::vector<const float*> rows;
  std::vector<float> scales;
};

}  // namespace kwta::onednn::tied
