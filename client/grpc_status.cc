#include "client/grpc_status.h"

#include "absl/strings/cord.h"
#include "client/client.h"

namespace kwta::client {
namespace {

constexpr char kNotReached[] = "kwta.client/not-reached";

}  // namespace

absl::Status NotReached(absl::string_view message) {
  absl::Status status = absl::UnavailableError(message);
  status.SetPayload(kNotReached, absl::Cord());
  return status;
}

bool IsNotReached(const absl::Status& status) { return status.GetPayload(kNotReached).has_value(); }

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return NotReached(status.error_message());
  const int code = static_cast<int>(status.error_code());
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown, status.error_message());
}

absl::Status FromGrpcUncancelled(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return NotReached("the server closed the stream; is it shutting down?");
  }
  return FromGrpc(status);
}

}  // namespace kwta::client
