// The backends that were built in. The only place that knows which.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/backends/backend.h"

namespace kwta {

struct BackendOptions {
  int threads = 0;  // 0: every processor this process may use
  // Of the onednn backend, for tests and measurements; all give the same results. Empty takes the environment's
  // KWTA_FORCE_ISA or KWTA_FORCE_FILTER, and if that is not set either, the best for this machine:
  // for a filter, what is fastest for a dictionary when it is prepared.
  std::string instruction_set;  // "portable", "avx2", "avx512" or "vnni"
  std::string filter;           // what finds the candidates of codes: "int8", "bf16" or "fp32"
};

// Names of the backends built in, best first; "reference" is always there, and last.
std::vector<std::string> BackendNames();

// Creates a backend. An empty name takes the best one that works on this machine.
// Errors: NOT_FOUND naming the backends there are; INVALID_ARGUMENT if an option names something unknown or something
// that this processor lacks; UNAVAILABLE if its device or library does not work here.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(absl::string_view name, const BackendOptions& options);

}  // namespace kwta
