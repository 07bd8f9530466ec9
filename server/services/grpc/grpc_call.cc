#include "server/services/grpc/grpc_call.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/services/caller.h"

namespace kwta::server {
namespace {

absl::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

}  // namespace

absl::string_view GrpcTransport::Metadata(const char* name) const {
  const auto found = context_.client_metadata().find(name);
  return found == context_.client_metadata().end() ? absl::string_view() : View(found->second);
}

std::string GrpcTransport::Peer() const {
  const std::shared_ptr<const grpc::AuthContext> peer = context_.auth_context();
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    const std::vector<grpc::string_ref> names = peer->GetPeerIdentity();
    if (!names.empty()) return absl::StrCat("certificate:", View(names.front()));
  }
  return HostOfPeer(context_.peer());
}

}  // namespace kwta::server
