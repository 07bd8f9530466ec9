// SparseGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::tied {

// As HostBackend::SparseGradient. Each unit's rows are added in ascending order by one thread.
absl::Status SparseGradient(support::Context& context, const SparseGradientArgs& args);

}  // namespace kwta::onednn::tied
