#include "server/edge/transport_settings.h"

#include <grpc/compression.h>
#include <grpc/grpc.h>

#include "absl/time/time.h"

namespace kwta::server {
namespace {

constexpr int kFrameBytes = 256 << 10;
constexpr int kReadBytes = 64 << 10;
// Streams open at once on a connection. Clients wait with more; the limit on calls in all is lower by default.
constexpr int kMostStreams = 4096;
// gRPC pings a peer that is silent for this long and drops it if it does not answer in time, so that whatever it held
// is free again. docs/serving.md describes the pings.
constexpr absl::Duration kKeepalive = absl::Seconds(20);
constexpr absl::Duration kKeepaliveAnswer = absl::Seconds(10);
// Until then a connection has shown its certificate and said hello, or it is closed.
constexpr absl::Duration kLongestHandshake = absl::Seconds(10);
// Clients may ping this often themselves, with or without open calls.
constexpr absl::Duration kShortestPingInterval = absl::Seconds(5);

void SetKeepalive(grpc::ServerBuilder* builder) {
  const auto set = [builder](const char* argument, absl::Duration value) {
    builder->AddChannelArgument(argument, static_cast<int>(absl::ToInt64Milliseconds(value)));
  };
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepalive);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveAnswer);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kShortestPingInterval);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kLongestHandshake);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // as many pings of our own as needed
}

// gRPC then answers UNIMPLEMENTED when it has read a call's headers, and unpacks nothing.
void RefuseCompression(grpc::ServerBuilder* builder) {
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder->SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
}

}  // namespace

void SetUpTransport(bool accept_compression, grpc::ServerBuilder* builder) {
  // Read hundreds of rows at once, rather than in dozens of small frames with pauses for the sender's window.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kFrameBytes);
  builder->AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes);
  SetKeepalive(builder);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  if (!accept_compression) RefuseCompression(builder);
}

}  // namespace kwta::server
