// The channel to a server and the unary calls over it. Private to the library: everything here knows gRPC.
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

// What is wrong with `options`: an address that is none, files that cannot be read, a token that cannot be sent.
absl::Status CheckOptions(const Options& options);

// A channel as `options` say. It shares a connection with others to the same address unless own_connection is set.
// Calls over a channel whose options are wrong fail with that error.
std::shared_ptr<grpc::Channel> CreateChannel(const Options& options, bool own_connection);

// Thread-safe. The channel connects when it is first used and again whenever the connection was lost.
class Connection {
 public:
  explicit Connection(Options options);

  const Options& options() const { return options_; }
  v1::EncoderService::Stub& stub() { return *stub_; }

  // When a call that starts now has to be done.
  absl::Time Deadline(const CallOptions& call) const {
    return absl::Now() + call.deadline.value_or(options_.default_deadline);
  }

  // Makes a unary call, again on UNAVAILABLE.
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

  // An Encode with a second attempt if the options want it and the first is slow; again on UNAVAILABLE.
  absl::StatusOr<v1::EncodeResponse> HedgedEncode(const v1::EncodeRequest& request, absl::Time deadline);

  // InfiniteFuture sets none.
  static void SetDeadline(absl::Time deadline, grpc::ClientContext* context);

 private:
  const Options options_;
  const std::unique_ptr<v1::EncoderService::Stub> stub_;
  const std::unique_ptr<Hedger> hedger_;  // null: no second attempts
};

}  // namespace kwta::client
