// Presents a gRPC call to the pipeline.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/services/call.h"

namespace kwta::server {

// The context must not be asked about cancellation before gRPC reports the end. REQUIRES: the context outlives the
// transport.
class GrpcTransport final : public CallTransport {
 public:
  explicit GrpcTransport(grpc::ServerContext* context) : context_(*context) {}

  absl::string_view Metadata(const char* name) const override;
  std::string Peer() const override;
  // As gRPC writes it: "ipv4:10.0.0.7:51034".
  std::string Address() const { return context_.peer(); }
  absl::Time Deadline() const override { return absl::FromChrono(context_.deadline()); }
  bool Cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }
  void AddTrailing(const char* name, const std::string& value) override { context_.AddTrailingMetadata(name, value); }

  // Call when gRPC has reported that the call is over.
  void Over() {
    if (context_.IsCancelled()) cancelled_.store(true, std::memory_order_relaxed);
  }

 private:
  grpc::ServerContext& context_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace kwta::server
