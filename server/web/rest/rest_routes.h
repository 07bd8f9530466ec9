// Serves the Open Inference Protocol over HTTP: the paths that begin with /v2.
#pragma once

#include <cstdint>

#include "server/oip/inference_handler.h"
#include "server/web/http_routes.h"

namespace kwta::server {

// Adds the routes. Each answers what the gRPC call of the same meaning answers, through the same handler and as the
// same method of the pipeline; docs/open-inference.md lists them. REQUIRES: the handler outlives the routes.
void AddRestRoutes(InferenceHandler* handler, int64_t max_message_bytes, HttpRoutes* routes);

}  // namespace kwta::server
