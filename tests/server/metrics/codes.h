// Codes for tests of what is measured about them.
#pragma once

#include "core/tensors/sparse_codes.h"

namespace kwta::server {

// `rows` rows, each with the units 0 and 1 of `units`.
inline SparseCodes TwoActive(int64_t rows, int64_t units) {
  SparseCodes codes;
  codes.units = units;
  for (int64_t row = 0; row < rows; ++row) {
    for (const int32_t unit : {0, 1}) {
      codes.indices.push_back(unit);
      codes.values.push_back(1);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

}  // namespace kwta::server
