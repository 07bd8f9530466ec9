// Answers calls of methods that the server does not have, in words.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include "server/services/call.h"
#include "server/services/grpc/completion_loop.h"

namespace kwta::server {

// UNIMPLEMENTED, with a message that says what is not served and what to do. Such calls are let in without a token, and
// recorded under methods::kUnserved.
class UnservedMethods {
 public:
  // REQUIRES: both outlive it.
  UnservedMethods(const CallPipeline* pipeline, CompletionLoop* loop) : pipeline_(pipeline), loop_(loop) {}
  UnservedMethods(const UnservedMethods&) = delete;
  UnservedMethods& operator=(const UnservedMethods&) = delete;

  // Before the server is built.
  void Register(grpc::ServerBuilder* builder) { builder->RegisterAsyncGenericService(&service_); }
  // After it was built.
  void Listen();

 private:
  class OneCall;

  const CallPipeline* const pipeline_;
  CompletionLoop* const loop_;
  grpc::AsyncGenericService service_;
};

}  // namespace kwta::server
