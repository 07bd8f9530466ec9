// A ConnectionWatch for versions of gRPC whose functions connection_watch.cc does not know. It watches nothing.
#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "server/edge/connection_watch.h"

namespace kwta::server {

struct ConnectionWatch::Shared {};

ConnectionWatch::ConnectionWatch(const Options&, Events) {}
ConnectionWatch::~ConnectionWatch() = default;

absl::Status ConnectionWatch::Works() {
  return absl::FailedPreconditionError(
      absl::StrCat("this program was built with gRPC ", grpc::Version(), ", and it knows only 1.51.*"));
}

void ConnectionWatch::Expect(int, const std::string&, bool) {}

int64_t ConnectionWatch::held_bytes() const { return 0; }

std::shared_ptr<void> ConnectionWatch::ExpectSmall(const std::string&) { return nullptr; }

}  // namespace kwta::server
