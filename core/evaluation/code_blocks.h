// Codes of a data set, block by block, so that memory does not grow with its rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder.h"
#include "core/io/datasets/dataset.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

// Calls visit(codes, first) with the codes that the encoder gives by default, of consecutive blocks of rows, the first
// of which is row `first`. Errors: those of the encoder. REQUIRES: rows of its width.
template <typename Visit>
absl::Status VisitCodes(const Dataset& data, const Encoder& encoder, Visit visit) {
  constexpr int64_t kBlockRows = 512;
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder.ResolveK({}));
  std::vector<uint32_t> which(kBlockRows);
  std::vector<char> stored(kBlockRows * data.width() * DTypeSize(data.dtype()));
  SparseCodes codes;
  for (int64_t begin = 0; begin < data.rows(); begin += kBlockRows) {
    const int64_t count = std::min(kBlockRows, data.rows() - begin);
    std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
    data.Gather(which.data(), count, stored.data());
    KWTA_RETURN_IF_ERROR(encoder.Encode({data.dtype(), stored.data(), count, data.width()}, k, &codes));
    visit(codes, begin);
  }
  return absl::OkStatus();
}

}  // namespace kwta
