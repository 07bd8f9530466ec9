// Serves kwta.v1.EncoderService over gRPC. Each method is a Call of the pipeline that asks a handler.
#pragma once

#include <grpcpp/server_builder.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/services/call.h"
#include "server/services/encode_handler.h"
#include "server/services/grpc/completion_loop.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"

namespace kwta::server {

// What the service depends on. REQUIRES: all of it outlives the service.
struct EncoderServiceParts {
  EncodeHandler* encode = nullptr;
  JobHandler* jobs = nullptr;
  ModelHandler* models = nullptr;
  std::function<absl::StatusOr<v1::StatusResponse>()> status;
  const CallPipeline* pipeline = nullptr;
  CompletionLoop* loop = nullptr;  // runs the asynchronous methods
  std::string upload_directory;
  int64_t max_upload_bytes = 0;
  int max_stream_messages = 256;
  int64_t max_stream_bytes = 1 << 26;
  std::vector<std::string> healthy_services;  // full names of the services that the health service knows
};

// The service and the health service of its server. Encode, EncodeStream and the health service's methods are
// asynchronous, on the loop's thread; the other methods run on gRPC's threads.
class EncoderService {
 public:
  virtual ~EncoderService() = default;

  // Call before the server is built.
  virtual void Register(grpc::ServerBuilder* builder) = 0;
  // Asks for calls. Call after the server was built. REQUIRES: the loop finishes before the service is destroyed.
  virtual void Start() = 0;
  // Sets what the health service reports; false at first. Call between Start and the loop's Finish.
  virtual void SetServing(bool serving) = 0;
};
std::unique_ptr<EncoderService> NewEncoderService(EncoderServiceParts parts);

}  // namespace kwta::server
