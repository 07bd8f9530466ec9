// inference.GRPCInferenceService over gRPC, beside kwta.v1.EncoderService on the same port.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "server/oip/inference_handler.h"
#include "server/services/call.h"

namespace kwta::server {

// To be registered with a ServerBuilder. Methods are those of the handler; all but ServerLive and ServerReady go
// through the pipeline. REQUIRES: both outlive the service.
std::unique_ptr<grpc::Service> NewInferenceService(InferenceHandler* handler, const CallPipeline* pipeline);

}  // namespace kwta::server
