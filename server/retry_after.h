// Attaches to a status when a caller that was refused for lack of room may try again.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kwta::server {

absl::Status WithRetryAfter(absl::Status status, absl::Duration pause);

// Returns the attached duration; nullopt if there is none.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace kwta::server
