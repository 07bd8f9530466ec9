#include "server/refusal.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

constexpr char kRefusalPayload[] = "kwta/refusal";

}  // namespace

const char* RefusalName(Refusal refusal) {
  switch (refusal) {
    case Refusal::kUnauthenticated:
      return "unauthenticated";
    case Refusal::kPermissionDenied:
      return "permission_denied";
    case Refusal::kCallQuota:
      return "quota_calls";
    case Refusal::kRowQuota:
      return "quota_rows";
    case Refusal::kConcurrentCalls:
      return "concurrent_calls";
    case Refusal::kQueueRows:
      return "queue_rows";
    case Refusal::kQueueBytes:
      return "queue_bytes";
    case Refusal::kQueueSeconds:
      return "queue_seconds";
    case Refusal::kDeadlineUnreachable:
      return "deadline_unreachable";
    case Refusal::kDeadlinePassed:
      return "deadline_passed";
    case Refusal::kDraining:
      return "draining";
    case Refusal::kMessageSize:
      return "message_size";
    case Refusal::kUnknownModel:
      return "unknown_model";
    case Refusal::kModelLoading:
      return "model_loading";
    case Refusal::kInvalid:
      return "invalid";
    case Refusal::kDeviceMemory:
      return "device_memory";
    case Refusal::kUnimplemented:
      return "unimplemented";
  }
  return "unknown";
}

absl::Status Refused(Refusal refusal, absl::Status status) {
  status.SetPayload(kRefusalPayload, absl::Cord(absl::StrCat(static_cast<int>(refusal))));
  return status;
}

absl::Status MessageTooLarge(int64_t bytes, int64_t max_message_bytes) {
  return Refused(Refusal::kMessageSize, absl::ResourceExhaustedError(absl::StrCat(
                                            "the message has ", bytes, " bytes, more than the ", max_message_bytes,
                                            " that this server takes (--max-message-bytes); send less at "
                                            "once")));
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kRefusalPayload); payload.has_value()) {
    int number = 0;
    if (absl::SimpleAtoi(std::string(*payload), &number)) return static_cast<Refusal>(number);
  }
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return Refusal::kUnauthenticated;
    case absl::StatusCode::kPermissionDenied:
      return Refusal::kPermissionDenied;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return Refusal::kInvalid;
    case absl::StatusCode::kDeadlineExceeded:
      return Refusal::kDeadlinePassed;
    case absl::StatusCode::kUnimplemented:
      return Refusal::kUnimplemented;
    default:
      return std::nullopt;
  }
}

}  // namespace kwta::server
