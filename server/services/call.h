// The steps that every call of every service goes through, on any transport. The pipeline admits each call and each
// message of a stream, and records and logs the result and reports it to the caller.
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
  // Returns what the caller sent under this lower-case name; empty if it sent nothing. Valid as long as the call.
  virtual absl::string_view Metadata(const char* name) const = 0;
  // Who makes the call if no token says so: the name in the peer's certificate, or its host.
  virtual std::string Peer() const = 0;
  virtual absl::Time Deadline() const = 0;
  // True once nobody waits for the answer. Quick and thread-safe.
  virtual bool Cancelled() const = 0;
  // Adds a value to be sent along with the status.
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

// A request that arrived in a message of a stream.
struct StreamRequest {
  SteadyTime start;
  absl::Status refusal;  // if not OK, the answer to the request: RESOURCE_EXHAUSTED, with a RetryAfter
  RequestSubject subject;
};

// One call from arrival to end: Admit, then the work if Admit returned OK, then Finish with the result. Use it from one
// thread at a time. It holds its permit until it is destroyed.
class Call {
 public:
  // REQUIRES: pipeline, method and transport outlive the call.
  Call(const CallPipeline* pipeline, const Method* method, CallTransport* transport);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Authenticates the caller, checks its scope, charges its quota, and takes a permit. Errors: UNAUTHENTICATED,
  // PERMISSION_DENIED, RESOURCE_EXHAUSTED (quota, permits), UNAVAILABLE (draining).
  absl::Status Admit();

  // Checks whether the caller may go on. Call it before each message, in either direction, of an admitted call. A token
  // that was removed or has expired ends its calls. Costs only a look at the clock unless the tokens have changed.
  // Errors, which end the call: UNAUTHENTICATED, PERMISSION_DENIED.
  absl::Status AllowMessage();

  // Like AllowMessage, for a message that is a request. A request counts as a call: once the quota is used up, the
  // request is refused and the stream goes on. Admit has paid for the first request.
  absl::StatusOr<StreamRequest> BeginRequest();
  // Records the result of a request of a stream.
  void EndRequest(const StreamRequest& request, const absl::Status& status) const;

  // Who makes the call. REQUIRES: Admit returned OK.
  const std::string& caller() const { return caller_.name; }

  // Returns the context for the EncodeHandler, of the call or of a request of its stream. The handler writes into the
  // subject of the call or of the request until it is done. REQUIRES: Admit returned OK; the transport, the call and
  // `request` outlive the request.
  CallContext Context() { return ContextWith(&subject_); }
  CallContext Context(StreamRequest* request) const { return ContextWith(&request->subject); }

  // Records and logs the result and hands the transport what it must tell the caller. Call it once; then the transport
  // sends the status.
  void Finish(const absl::Status& status);

 private:
  CallContext ContextWith(RequestSubject* subject) const;

  const CallPipeline& pipeline_;
  const Method& method_;
  CallTransport& transport_;
  const SteadyTime start_;
  Caller caller_;
  RequestSubject subject_;
  std::optional<CallPermits::Permit> permit_;
  bool paid_ = false;  // for a request that has not arrived yet
};

}  // namespace kwta::server
