// Serves Encode and EncodeStream, the calls with high rates, on gRPC's asynchronous API: no thread waits for a call.
#pragma once

#include <cstdint>

#include "kwta/v1/service.grpc.pb.h"
#include "server/services/call.h"
#include "server/services/encode_handler.h"
#include "server/services/grpc/completion_loop.h"

namespace kwta::server {

// The service with these two methods asynchronous and the others synchronous.
using HotEncoderService = v1::EncoderService::WithAsyncMethod_Encode<
    v1::EncoderService::WithAsyncMethod_EncodeStream<v1::EncoderService::Service>>;

// What the calls depend on. REQUIRES: all of it outlives the loop's Finish.
struct EncodeCallParts {
  HotEncoderService* service = nullptr;
  CompletionLoop* loop = nullptr;
  EncodeHandler* handler = nullptr;
  const CallPipeline* pipeline = nullptr;
  int max_stream_messages = 256;       // in flight on one stream
  int64_t max_stream_bytes = 1 << 26;  // the same limit in bytes of messages and their answers
};

// Asks gRPC for calls; each call that arrives asks for the next. Call this once, after the server has started.
void ListenForEncode(const EncodeCallParts* parts);
void ListenForEncodeStream(const EncodeCallParts* parts);

}  // namespace kwta::server
