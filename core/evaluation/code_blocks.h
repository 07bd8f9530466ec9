// Codes of a data set, block by block, so that memory does not grow with the number of rows.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder.h"
#include "core/io/datasets/stored_blocks.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

// Calls visit(codes, first) for consecutive blocks of rows, with the codes that the encoder returns by default; row
// `first` is the first of the block. Errors: those of the encoder. REQUIRES: the rows have the encoder's width.
template <typename Visit>
absl::Status VisitCodes(const Dataset& data, const Encoder& encoder, Visit visit) {
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder.ResolveK({}));
  SparseCodes codes;
  return ForEachStoredBlock(data, [&](const RowsView& rows, int64_t first) {
    KWTA_RETURN_IF_ERROR(encoder.EncodeSparse(rows, k, &codes));
    visit(codes, first);
    return absl::OkStatus();
  });
}

}  // namespace kwta
