// Serves grpc.reflection.v1.ServerReflection and its first form, v1alpha, without tokens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/timeout_list.h"
#include "server/services/grpc/unary_call.h"
#include "server/services/open_calls.h"

namespace kwta::server {

// Limits the streams, in all and for each host, and ends those that ask nothing for a minute. A stream takes a thread
// only for as long as one answer is made.
class ReflectionService {
 public:
  // REQUIRES: table and site outlive it. Lists the services that the table has when somebody asks.
  ReflectionService(const MethodTable* table, const CallSite* site);
  ReflectionService(const ReflectionService&) = delete;
  ReflectionService& operator=(const ReflectionService&) = delete;

  // Call before the loop starts. REQUIRES: the loop finishes before the service is destroyed.
  void AddTo(MethodTable* table);

 private:
  class Stream;

  const MethodTable& table_;
  const CallSite& site_;
  OpenCalls streams_;
  TimeoutList idle_;
};

}  // namespace kwta::server
