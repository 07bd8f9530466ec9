// Reads requests of the Open Inference Protocol as they come over HTTP: JSON, and tensors as binary data behind it.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"

namespace kwta::server {

struct RestInferRequest {
  inference::ModelInferRequest request;
  // Whether the answer has an output as binary data: as the output says, or else as the request says.
  bool binary_outputs = false;
  std::map<std::string, bool> binary_output;
};

// Reads the body of .../infer. `header_length` is the header Inference-Header-Content-Length, the number of bytes of
// JSON before the binary data; empty: all is JSON. Numbers of "data" are gathered as floats while they are read, so a
// body costs little more memory than its elements. The model is left out. Errors: INVALID_ARGUMENT.
absl::StatusOr<RestInferRequest> ParseRestInferRequest(std::string body, absl::string_view header_length);

// Read the bodies of the calls about the repository, which may be empty. Errors: INVALID_ARGUMENT.
absl::StatusOr<inference::RepositoryIndexRequest> ParseRestIndexRequest(const std::string& body);
absl::StatusOr<inference::RepositoryModelLoadRequest> ParseRestLoadRequest(const std::string& body);
absl::StatusOr<inference::RepositoryModelUnloadRequest> ParseRestUnloadRequest(const std::string& body);

}  // namespace kwta::server
