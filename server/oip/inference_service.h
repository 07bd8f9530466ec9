// The methods of inference.GRPCInferenceService, on the same port as kwta.v1.EncoderService.
#pragma once

#include "server/oip/inference_handler.h"
#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/unary_call.h"

namespace kwta::server {

// Adds the methods, which the handler implements; all but ServerLive and ServerReady go through the pipeline. REQUIRES:
// handler and site outlive the loop's Finish.
void AddInferenceMethods(MethodTable* table, InferenceHandler* handler, const CallSite* site);

}  // namespace kwta::server
