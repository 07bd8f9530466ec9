// kwta.v1.EncoderService over gRPC: each method takes a permit, calls a handler, records and converts the status.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/metrics/metrics.h"
#include "server/services/call_permits.h"
#include "server/services/encode_handler.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"

namespace kwta::server {

// What the service stands on. REQUIRES: all of it outlives the service.
struct EncoderServiceParts {
  EncodeHandler* encode = nullptr;
  JobHandler* jobs = nullptr;
  ModelHandler* models = nullptr;
  std::function<absl::StatusOr<v1::StatusResponse>()> status;
  CallPermits* permits = nullptr;
  Metrics* metrics = nullptr;
  std::string upload_directory;
  int64_t max_upload_bytes = 0;
  int max_stream_messages = 64;
};

// Thread-safe, as gRPC wants it.
std::unique_ptr<grpc::Service> NewEncoderService(EncoderServiceParts parts);

}  // namespace kwta::server
