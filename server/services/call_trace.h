// By what a call is known in logs, here and in the caller's.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kwta::server {

// What the caller sent: x-request-id, at most 128 printable characters, and traceparent in the form of W3C's Trace
// Context. What is malformed is taken as not sent.
struct CallTrace {
  std::string request_id;
  std::string traceparent;

  bool empty() const { return request_id.empty() && traceparent.empty(); }
};
CallTrace TraceOf(const grpc::ServerContext& context);

// Sends both back in the trailing metadata, as far as they were sent.
void Echo(const CallTrace& trace, grpc::ServerContext* context);

// A line about a call that was answered: an error if the server is to blame, else of level debug.
void LogCall(absl::string_view method, absl::string_view caller, const CallTrace& trace, const absl::Status& status,
             absl::Duration took);

}  // namespace kwta::server
