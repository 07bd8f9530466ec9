// Writes the answers of .../infer of the Open Inference Protocol over HTTP.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "server/web/http_message.h"
#include "server/web/rest/rest_request.h"

namespace kwta::server {

// Writes each output as the request wants it: as numbers of JSON, each the shortest that reads back as the same value,
// or as binary data behind the JSON. Then the header Inference-Header-Content-Length says how long the JSON is. Errors:
// INVALID_ARGUMENT (more than max_bytes).
absl::StatusOr<HttpResponse> WriteRestInferResponse(const inference::ModelInferResponse& response,
                                                    const RestInferRequest& request, int64_t max_bytes);

}  // namespace kwta::server
