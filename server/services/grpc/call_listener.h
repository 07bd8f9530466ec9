// Takes all calls of the gRPC port and serves each as the table of methods says.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/services/call.h"
#include "server/services/grpc/served_call.h"

namespace kwta::server {

// How each method is served, by its full name.
class MethodTable {
 public:
  // Takes a call and begins it.
  using Serve = std::function<void(std::unique_ptr<IncomingCall>)>;

  // `service` is a full name. REQUIRES: there is no such method yet.
  void Add(const std::string& service, const std::string& method, Serve serve);
  // Adds a method whose calls are objects of class OneCall, made of the incoming call and `arguments`.
  template <typename OneCall, typename... Arguments>
  void AddCalls(const std::string& service, const std::string& method, Arguments... arguments) {
    Add(service, method, [arguments...](std::unique_ptr<IncomingCall> incoming) {
      static_cast<ServedCall*>(new OneCall(std::move(incoming), arguments...))->Begin();
    });
  }

  // `path` is "/package.Service/Method". Null: there is no such method.
  const Serve* Find(const std::string& path) const;
  // The full names of the services, in order.
  std::vector<std::string> Services() const;

 private:
  std::map<std::string, Serve> methods_;  // by path
};

// Answers calls of methods that are not in the table with UNIMPLEMENTED and a message that says what is not served and
// what to do. Admits such calls without a token and records them under methods::kUnserved.
class CallListener {
 public:
  // Messages of more than max_message_bytes are refused. REQUIRES: all of it outlives the listener.
  CallListener(const MethodTable* table, const CallPipeline* pipeline, CompletionLoop* loop, int64_t max_message_bytes);
  ~CallListener();
  CallListener(const CallListener&) = delete;
  CallListener& operator=(const CallListener&) = delete;

  // Call before the server is built.
  void Register(grpc::ServerBuilder* builder) { builder->RegisterAsyncGenericService(&service_); }
  // Call after the server was built. REQUIRES: the loop finishes before the listener is destroyed.
  void Listen();

 private:
  class Place;
  class UnservedCall;

  void Dispatch(std::unique_ptr<IncomingCall> incoming);

  const MethodTable& table_;
  const CallPipeline* const pipeline_;
  CompletionLoop* const loop_;
  const int64_t max_message_bytes_;
  grpc::AsyncGenericService service_;
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace kwta::server
