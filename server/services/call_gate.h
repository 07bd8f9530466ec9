// Lets calls in: asks for the token and what it allows, takes from its quota, and takes a permit.
#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/security/authenticator.h"
#include "server/services/call_permits.h"

namespace kwta::server {

// The scope that a method of any service needs; nullopt if any token will do. Methods that it does not know need
// Scope::kAdmin.
std::optional<Scope> ScopeOfMethod(absl::string_view method);

// A call that was let in. Its permit is given back with it.
struct Admission {
  std::string caller;  // the token's name, or that of the certificate, or the host
  std::shared_ptr<Quota> calls, rows;
  CallPermits::Permit permit;
};

// Thread-safe.
class CallGate {
 public:
  // Without an authenticator everybody may do everything. REQUIRES: both outlive it and the admissions.
  CallGate(CallPermits* permits, Authenticator* authenticator) : permits_(permits), authenticator_(authenticator) {}

  // `method` without its service. Errors: UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED (quota, permits),
  // UNAVAILABLE (draining).
  absl::StatusOr<Admission> Admit(const grpc::ServerContext& context, absl::string_view method);

 private:
  CallPermits* const permits_;
  Authenticator* const authenticator_;
};

}  // namespace kwta::server
