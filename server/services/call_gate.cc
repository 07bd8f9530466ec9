#include "server/services/call_gate.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/services/caller.h"

namespace kwta::server {
namespace {

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

absl::string_view Authorization(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  return found == context.client_metadata().end() ? absl::string_view() : View(found->second);
}

// Whose call it is if no token says so.
std::string NameOfPeer(const grpc::ServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    const std::vector<grpc::string_ref> names = peer->GetPeerIdentity();
    if (!names.empty()) return absl::StrCat("certificate:", View(names.front()));
  }
  return HostOfPeer(context.peer());
}

}  // namespace

std::optional<Scope> ScopeOfMethod(absl::string_view method) {
  static const auto* const kScopes = new std::map<absl::string_view, std::optional<Scope>>{
      // kwta.v1.EncoderService
      {"Encode", Scope::kEncode},
      {"EncodeStream", Scope::kEncode},
      {"Reconstruct", Scope::kEncode},
      {"GetClassifier", Scope::kEncode},
      {"Status", std::nullopt},
      {"ListModels", std::nullopt},
      {"GetModel", std::nullopt},
      {"Train", Scope::kTrain},
      {"WatchJob", Scope::kTrain},
      {"ListJobs", Scope::kTrain},
      {"CancelJob", Scope::kTrain},
      {"UploadDataset", Scope::kTrain},
      // inference.GRPCInferenceService
      {"ModelInfer", Scope::kEncode},
      {"ModelStreamInfer", Scope::kEncode},
      {"ServerLive", std::nullopt},
      {"ServerReady", std::nullopt},
      {"ServerMetadata", std::nullopt},
      {"ModelReady", std::nullopt},
      {"ModelMetadata", std::nullopt},
      {"ModelConfig", std::nullopt},
      {"ModelStatistics", std::nullopt},
      {"RepositoryIndex", std::nullopt},
  };
  const auto found = kScopes->find(method);
  return found == kScopes->end() ? Scope::kAdmin : found->second;
}

absl::StatusOr<Admission> CallGate::Admit(const grpc::ServerContext& context, absl::string_view method) {
  Caller caller;
  if (authenticator_ == nullptr) {
    caller.name = NameOfPeer(context);
  } else {
    KWTA_ASSIGN_OR_RETURN(caller, authenticator_->Authenticate(Authorization(context), ScopeOfMethod(method)));
    if (caller.calls != nullptr) KWTA_RETURN_IF_ERROR(caller.calls->Take(1, absl::Now()));
  }
  KWTA_ASSIGN_OR_RETURN(CallPermits::Permit permit, permits_->Take(caller.name));
  return Admission{std::move(caller.name), std::move(caller.calls), std::move(caller.rows), std::move(permit)};
}

}  // namespace kwta::server
