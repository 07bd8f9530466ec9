// Answers calls of methods that the server does not have with an explanation.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include "server/services/call.h"
#include "server/services/grpc/completion_loop.h"

namespace kwta::server {

// Answers UNIMPLEMENTED, with a message that says what is not served and what to do. Admits such calls without a token
// and records them under methods::kUnserved.
class UnservedMethods {
 public:
  // REQUIRES: pipeline and loop outlive it.
  UnservedMethods(const CallPipeline* pipeline, CompletionLoop* loop) : pipeline_(pipeline), loop_(loop) {}
  UnservedMethods(const UnservedMethods&) = delete;
  UnservedMethods& operator=(const UnservedMethods&) = delete;

  // Call before the server is built.
  void Register(grpc::ServerBuilder* builder) { builder->RegisterAsyncGenericService(&service_); }
  // Call after the server was built.
  void Listen();

 private:
  class OneCall;

  const CallPipeline* const pipeline_;
  CompletionLoop* const loop_;
  grpc::AsyncGenericService service_;
};

}  // namespace kwta::server
