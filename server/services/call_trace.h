// Identifies a call in the server's logs and the caller's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kwta::server {

// The names under which a caller sends the ids, and under which they are sent back.
inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr char kTraceparentKey[] = "traceparent";

// What the caller sent: a request id of at most 128 printable characters, and a traceparent in the format of W3C's
// Trace Context. Malformed values are ignored.
struct CallTrace {
  std::string request_id;
  std::string traceparent;
};
CallTrace TraceOf(absl::string_view request_id, absl::string_view traceparent);

// Logs a line about an answered call: an error if the server is to blame, else at level debug.
void LogCall(absl::string_view method, absl::string_view caller, const CallTrace& trace, const absl::Status& status,
             absl::Duration took);

}  // namespace kwta::server
