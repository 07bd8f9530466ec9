// By what a call is known in logs, here and in the caller's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kwta::server {

// The names under which a caller sends them, and under which they go back.
inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr char kTraceparentKey[] = "traceparent";

// What the caller sent: a request id of at most 128 printable characters, and a traceparent in the form of W3C's Trace
// Context. What is malformed is taken as not sent.
struct CallTrace {
  std::string request_id;
  std::string traceparent;
};
CallTrace TraceOf(absl::string_view request_id, absl::string_view traceparent);

// A line about a call that was answered: an error if the server is to blame, else of level debug.
void LogCall(absl::string_view method, absl::string_view caller, const CallTrace& trace, const absl::Status& status,
             absl::Duration took);

}  // namespace kwta::server
