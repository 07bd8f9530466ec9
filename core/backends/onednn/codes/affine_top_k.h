// AffineTopK of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// As Backend::AffineTopK: by a product of bytes (byte_filter.h) where the dictionary has them, and by products of bf16
// or binary32 (float_filter.h) otherwise and for the rows that this leaves out. REQUIRES: args.dictionary is an
// PreparedDictionary.
absl::Status AffineTopK(support::Context& context, const AffineTopKArgs& args);

}  // namespace kwta::onednn::codes
