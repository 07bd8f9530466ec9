// The part of GenerateLoad that sends messages over streams. Private to the library.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/load/load.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {

// One stream a connection, `outstanding` messages on their way in all of them together (at least one in each).
// Errors: what a stream ends with that nobody stopped.
absl::StatusOr<LoadReport> LoadStreams(const Options& server, const LoadOptions& options,
                                       const std::vector<v1::EncodeRequest>& requests);

}  // namespace kwta::client
