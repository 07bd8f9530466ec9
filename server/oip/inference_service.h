// Serves inference.GRPCInferenceService over gRPC, on the same port as kwta.v1.EncoderService.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "server/oip/inference_handler.h"
#include "server/services/call.h"

namespace kwta::server {

// Returns a service to register with a ServerBuilder. The handler implements its methods; all but ServerLive and
// ServerReady go through the pipeline. REQUIRES: handler and pipeline outlive the service.
std::unique_ptr<grpc::Service> NewInferenceService(InferenceHandler* handler, const CallPipeline* pipeline);

}  // namespace kwta::server
