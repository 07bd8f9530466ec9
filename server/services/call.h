// What every call of every service goes through, whichever transport brings it: it is let in, so is each message of a
// stream, and what became of it is recorded, logged and told to the caller.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "server/metrics/metrics.h"
#include "server/security/authenticator.h"
#include "server/services/call_permits.h"
#include "server/services/encode_handler.h"
#include "server/services/method.h"

namespace kwta::server {

// The transport's side of one call.
class CallTransport {
 public:
  // What the caller sent under this name, which is in lower case; empty if it sent nothing. Lives as long as the call.
  virtual absl::string_view Metadata(const char* name) const = 0;
  // Whose call it is if no token says so: the name in the peer's certificate, or its host.
  virtual std::string Peer() const = 0;
  virtual absl::Time Deadline() const = 0;
  // True once nobody waits for the answer. Quick and thread-safe.
  virtual bool Cancelled() const = 0;
  // Sends this along with the status.
  virtual void AddTrailing(const char* name, const std::string& value) = 0;

 protected:
  ~CallTransport() = default;
};

// What all calls share. Without an authenticator everybody may do everything. REQUIRES: all of it outlives the calls.
struct CallPipeline {
  CallPermits* permits = nullptr;
  Authenticator* authenticator = nullptr;
  Metrics* metrics = nullptr;
};

// A request that came in a message of a stream.
struct StreamRequest {
  SteadyTime start;
  absl::Status refusal;  // unless OK, the answer to it: RESOURCE_EXHAUSTED, with a RetryAfter
};

// One call from its arrival to its end: Admit, then the work if that was OK, then Finish with what came of it. Used by
// one thread at a time. It holds its permit until it is destroyed.
class Call {
 public:
  // REQUIRES: all of them outlive the call.
  Call(const CallPipeline* pipeline, const Method* method, CallTransport* transport);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Asks for the token and what it allows, takes from its quota, and takes a permit. Errors: UNAUTHENTICATED,
  // PERMISSION_DENIED, RESOURCE_EXHAUSTED (quota, permits), UNAVAILABLE (draining).
  absl::Status Admit();

  // Before each message, in either direction, of a call that was let in: whether the caller may go on. A token that was
  // taken away, or has expired, ends its calls. Costs no more than a look at the clock unless the tokens have changed.
  // Errors, which end the call: UNAUTHENTICATED, PERMISSION_DENIED.
  absl::Status AllowMessage();

  // The same for a message that is a request. It counts as a call: where the quota is used up the request is refused
  // and the stream goes on. Admission has paid for the first.
  absl::StatusOr<StreamRequest> BeginRequest();
  // Records how a request of a stream went.
  void EndRequest(const StreamRequest& request, const absl::Status& status) const;

  // For the EncodeHandler. REQUIRES: Admit was OK; the transport outlives the request.
  CallContext Context() const;

  // Records, logs, and has the transport send what the caller is to know. To be called once; the transport then sends
  // the status.
  void Finish(const absl::Status& status);

 private:
  const CallPipeline& pipeline_;
  const Method& method_;
  CallTransport& transport_;
  const SteadyTime start_;
  Caller caller_;
  std::optional<CallPermits::Permit> permit_;
  bool paid_ = false;  // for a request that has not come yet
};

}  // namespace kwta::server
