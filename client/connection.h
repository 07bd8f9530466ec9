// The channel to a server and the unary calls over it. Private to the library: this file exposes gRPC.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>

#include "absl/status/statusor.h"
#include "client/grpc_status.h"
#include "client/hedge.h"
#include "client/options.h"
#include "client/retry.h"
#include "client/text_check.h"
#include "kwta/v1/service.grpc.pb.h"

namespace kwta::client {

// Checks `options` for an invalid address, files that cannot be read, and a token that cannot be sent.
absl::Status CheckOptions(const Options& options);

// Creates a channel for `options`. It shares a connection with other channels to the same address unless own_connection
// is set. If the options are invalid, every call over the channel fails with that error.
std::shared_ptr<grpc::Channel> CreateChannel(const Options& options, bool own_connection);

// Thread-safe. The channel connects on first use and reconnects whenever the connection was lost.
class Connection {
 public:
  explicit Connection(Options options);

  const Options& options() const { return options_; }
  v1::EncoderService::Stub& stub() { return *stub_; }

  // The time by which a call that starts now must be done.
  absl::Time Deadline(const CallOptions& call) const {
    return absl::Now() + call.deadline.value_or(options_.default_deadline);
  }

  // Makes a unary call; retries on UNAVAILABLE.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Unary(grpc::Status (v1::EncoderService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                  Response*),
                                 const Request& request, absl::Time deadline) {
    if (absl::Status text = CheckText(request); !text.ok()) return text;
    Response response;
    absl::Status status = RetryUnavailable(options_.retry, deadline, Clock(), [&] {
      grpc::ClientContext context;
      SetDeadline(deadline, &context);
      return FromGrpcUncancelled((*stub_.*method)(&context, request, &response));
    });
    if (!status.ok()) return status;
    return response;
  }

  // Makes an Encode call; retries on UNAVAILABLE. If the options ask for it, makes a second attempt when the first is
  // slow.
  absl::StatusOr<v1::EncodeResponse> HedgedEncode(const v1::EncodeRequest& request, absl::Time deadline);

  // Sets no deadline for InfiniteFuture.
  static void SetDeadline(absl::Time deadline, grpc::ClientContext* context);

 private:
  const Options options_;
  const std::unique_ptr<v1::EncoderService::Stub> stub_;
  const std::unique_ptr<Hedger> hedger_;  // null: no second attempts
};

}  // namespace kwta::client
