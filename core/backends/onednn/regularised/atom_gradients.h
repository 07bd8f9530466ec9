// The last part of a regularised pass.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/regularised/pass_arrays.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/regularised_args.h"

namespace kwta::onednn::regularised {

// Writes gradient_atoms. REQUIRES: everything else of the pass is done.
absl::Status AtomGradients(support::Context& context, const RegularisedPassArgs& args, const PassArrays& arrays);

}  // namespace kwta::onednn::regularised
