// AffineTopK of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Implements Backend::AffineTopK. Uses a product of bytes (byte_filter.h) if the dictionary has them, and products of
// bf16 or binary32 (float_filter.h) otherwise and for the rows that the byte filter leaves out. REQUIRES:
// args.dictionary is a PreparedDictionary.
absl::Status AffineTopK(support::Context& context, const AffineTopKArgs& args);

}  // namespace kwta::onednn::codes
