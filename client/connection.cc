#include "client/connection.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "client/address.h"
#include "client/transport.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

constexpr int kFrameBytes = 256 << 10;
constexpr int kReadBytes = 64 << 10;

int Clamp(int64_t value) { return static_cast<int>(std::clamp<int64_t>(value, 1, std::numeric_limits<int>::max())); }

// gRPC pings a connection that is silent while calls wait. It notices within a minute that a server disappeared
// silently, for example behind a firewall that forgot the connection.
constexpr int kKeepAliveMilliseconds = 30'000;
constexpr int kKeepAliveTimeoutMilliseconds = 20'000;

// The parts of a channel.
struct Parts {
  std::string target;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string token;
};

absl::StatusOr<Parts> PartsOf(const Options& options) {
  Parts parts;
  KWTA_ASSIGN_OR_RETURN(parts.target, TargetOf(options.address));
  KWTA_ASSIGN_OR_RETURN(parts.credentials, CredentialsOf(options.tls));
  KWTA_ASSIGN_OR_RETURN(parts.token, TokenOf(options));
  return parts;
}

// Returns a channel on which every call ends with `status`.
std::shared_ptr<grpc::Channel> FailingChannel(const absl::Status& status) {
  // A file's UNAVAILABLE would be retried and mistaken for the server's.
  const auto code =
      absl::IsUnavailable(status) ? GRPC_STATUS_FAILED_PRECONDITION : static_cast<grpc_status_code>(status.raw_code());
  // gRPC must be initialised before there is a channel; the channel keeps it so from then on.
  grpc_init();
  std::shared_ptr<grpc::Channel> channel = grpc::CreateChannelInternal(
      "", grpc_lame_client_channel_create("", code, std::string(status.message()).c_str()), {});
  grpc_shutdown();
  return channel;
}

}  // namespace

absl::Status CheckOptions(const Options& options) { return PartsOf(options).status(); }

std::shared_ptr<grpc::Channel> CreateChannel(const Options& options, bool own_connection) {
  const absl::StatusOr<Parts> parts = PartsOf(options);
  if (!parts.ok()) return FailingChannel(parts.status());
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(Clamp(options.max_message_bytes));
  arguments.SetMaxSendMessageSize(Clamp(options.max_message_bytes));
  // Read answers to hundreds of rows at once.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kFrameBytes);
  arguments.SetInt(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes);
  // We retry ourselves (RetryUnavailable), so that there is one policy. The channel must not wait longer to reconnect
  // than we wait to call again.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   Clamp(absl::ToInt64Milliseconds(options.retry.initial_backoff) / 2));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Clamp(absl::ToInt64Milliseconds(options.retry.max_backoff)));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, own_connection ? 1 : 0);
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveTimeoutMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // as many as needed
  // gRPC would use the proxy of http_proxy even for 127.0.0.1.
  if (IsOnThisMachine(options.address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (parts->target != options.address) {
    // Draining servers announce it a while before they refuse calls; calls then go to others.
    arguments.SetServiceConfigJSON(R"({"healthCheckConfig": {"serviceName": "kwta.v1.EncoderService"}})");
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(parts->target, parts->credentials, arguments,
                                                                 InterceptorsFor(parts->token));
}

Connection::Connection(Options options)
    : options_(std::move(options)),
      stub_(v1::EncoderService::NewStub(CreateChannel(options_, /*own_connection=*/false))),
      hedger_(options_.hedge.delay.has_value() ? std::make_unique<Hedger>(options_) : nullptr) {}

absl::StatusOr<v1::EncodeResponse> Connection::HedgedEncode(const v1::EncodeRequest& request, absl::Time deadline) {
  if (hedger_ == nullptr) return Unary(&v1::EncoderService::Stub::Encode, request, deadline);
  KWTA_RETURN_IF_ERROR(CheckText(request));
  v1::EncodeResponse response;
  const absl::Status status = RetryUnavailable(options_.retry, deadline, Clock(), [&] {
    return FromGrpcUncancelled(hedger_->Encode(stub_.get(), request, deadline, &response));
  });
  if (!status.ok()) return status;
  return response;
}

void Connection::SetDeadline(absl::Time deadline, grpc::ClientContext* context) {
  if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
}

}  // namespace kwta::client
