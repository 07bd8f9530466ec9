// Presents gRPC calls to the pipeline.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"
#include "server/services/call.h"
#include "server/services/grpc/status_converter.h"

namespace kwta::server {

// REQUIRES: the context outlives the transport.
class GrpcTransport : public CallTransport {
 public:
  explicit GrpcTransport(grpc::ServerContext* context) : context_(*context) {}

  absl::string_view Metadata(const char* name) const override;
  std::string Peer() const override;
  absl::Time Deadline() const override { return absl::FromChrono(context_.deadline()); }
  bool Cancelled() const override { return context_.IsCancelled(); }
  void AddTrailing(const char* name, const std::string& value) override { context_.AddTrailingMetadata(name, value); }

 protected:
  ~GrpcTransport() = default;

  grpc::ServerContext& context_;
};

// The transport of a synchronous call.
class SyncGrpcTransport final : public GrpcTransport {
 public:
  using GrpcTransport::GrpcTransport;
};

// The transport of an asynchronous call. Its context must not be asked about cancellation before gRPC reports the end.
class AsyncGrpcTransport final : public GrpcTransport {
 public:
  using GrpcTransport::GrpcTransport;

  bool Cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }
  // Call when gRPC has reported that the call is over.
  void Over() {
    if (context_.IsCancelled()) cancelled_.store(true, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> cancelled_{false};
};

// Implements a whole synchronous method: if the call is admitted, runs `body`, which takes the Call and returns a
// status.
template <typename Body>
grpc::Status RunCall(const CallPipeline* pipeline, const Method& method, grpc::ServerContext* context, Body body) {
  SyncGrpcTransport transport(context);
  Call call(pipeline, &method, &transport);
  absl::Status status = call.Admit();
  if (status.ok()) status = body(call);
  call.Finish(status);
  return ToGrpcStatus(status);
}

// Does the same for a body that takes no arguments and returns an absl::StatusOr<Response>.
template <typename Response, typename Body>
grpc::Status AnswerCall(const CallPipeline* pipeline, const Method& method, grpc::ServerContext* context,
                        Response* response, Body body) {
  return RunCall(pipeline, method, context, [&](Call&) -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(*response, body());
    return absl::OkStatus();
  });
}

}  // namespace kwta::server
