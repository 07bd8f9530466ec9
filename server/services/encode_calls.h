// Encode and EncodeStream, the calls that arrive at high rate, on gRPC's asynchronous API: no thread waits for a call.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kwta/v1/service.grpc.pb.h"
#include "server/metrics/metrics.h"
#include "server/services/call_gate.h"
#include "server/services/completion_loop.h"
#include "server/services/encode_handler.h"

namespace kwta::server {

// The service with those two methods asynchronous and the others synchronous.
using HotEncoderService = v1::EncoderService::WithAsyncMethod_Encode<
    v1::EncoderService::WithAsyncMethod_EncodeStream<v1::EncoderService::Service>>;

// What the calls stand on. REQUIRES: all of it outlives the loop's Finish.
struct EncodeCallParts {
  HotEncoderService* service = nullptr;
  CompletionLoop* loop = nullptr;
  EncodeHandler* handler = nullptr;
  CallGate* gate = nullptr;
  Metrics* metrics = nullptr;
  int max_stream_messages = 256;       // in flight on one stream
  int64_t max_stream_bytes = 1 << 26;  // the same, of messages and their answers

  // Records how a call, or a message of a stream, went, and gives what its trailing metadata must tell.
  void Record(const char* method, absl::Time start, const absl::Status& status) const {
    metrics->CallDone(method, status.code(), absl::ToDoubleSeconds(absl::Now() - start));
  }
};

// Asks gRPC for calls; each that arrives asks for its successor. To be called once, after the server has started.
void ListenForEncode(const EncodeCallParts* parts);
void ListenForEncodeStream(const EncodeCallParts* parts);

// Sets the response to a request that was started, see EncodeHandler::Finish; or says why there is none.
absl::Status FinishEncode(const v1::EncodeRequest& request, const absl::StatusOr<EncodedRows>& rows,
                          v1::EncodeResponse* response);

// Told to clients that were refused for lack of room: when to try again.
void AddPushback(const absl::Status& status, grpc::ServerContext* context);

}  // namespace kwta::server
