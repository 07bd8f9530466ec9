// Why the server refused a call or a request: what kwta_refusals_total counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace kwta::server {

enum class Refusal {
  kUnauthenticated,      // no token, or one that is not valid
  kPermissionDenied,     // the token does not allow it
  kCallQuota,            // the token's calls a second
  kRowQuota,             // the token's rows a second
  kConcurrentCalls,      // --max-concurrent-calls
  kQueueRows,            // --max-queue-rows
  kQueueBytes,           // --max-queue-bytes
  kQueueSeconds,         // --max-queue-ms
  kDeadlineUnreachable,  // the queue is longer than the deadline allows
  kDeadlinePassed,       // the deadline passed before the rows were computed
  kDraining,             // the server stops
  kMessageSize,          // --max-message-bytes, a connection's unfinished messages, or the limit of an answer
  kUnknownModel,         // no such model, version or label
  kModelLoading,         // the version is not in memory yet
  kInvalid,              // the request is not valid
  kDeviceMemory,         // --device-full: the device has no memory for the rows
  kUnimplemented,        // the server has no such method, or does not do what the request asks
};
inline constexpr size_t kRefusals = 17;

// "queue_rows", as in metrics.
const char* RefusalName(Refusal refusal);

// Attaches the reason to a status that refuses.
absl::Status Refused(Refusal refusal, absl::Status status);

// The refusal of a message that is too large.
absl::Status MessageTooLarge(int64_t bytes, int64_t max_message_bytes);

// Returns the attached reason, or else the one that the code implies; nullopt if the status is no refusal.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace kwta::server
