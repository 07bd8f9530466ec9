// AffineTopK of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/context.h"

namespace kwta {

// As Backend::AffineTopK: by a product of bytes (byte_filter.h) where the dictionary allows it, and by products of
// binary32 (float_filter.h) for the rows that this leaves out. REQUIRES: args.dictionary is an OnednnDictionary.
absl::Status OnednnAffineTopK(OnednnContext& context, const AffineTopKArgs& args);

}  // namespace kwta
