// SparseGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::tied {

// Implements HostBackend::SparseGradient. One thread adds each unit's rows in ascending order.
absl::Status SparseGradient(support::Context& context, const SparseGradientArgs& args);

}  // namespace kwta::onednn::tied
