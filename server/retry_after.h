// When a caller that was refused for lack of room may try again, told along with the status.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kwta::server {

absl::Status WithRetryAfter(absl::Status status, absl::Duration pause);

// What was told; nullopt if nothing was.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace kwta::server
