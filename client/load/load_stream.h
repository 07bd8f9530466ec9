// The part of GenerateLoad that sends messages over streams. Private to the library.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/load/load.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {

// Opens one stream per connection and keeps `outstanding` messages in flight over all streams together (at least one in
// each). Errors: the status of a stream that ended by itself.
absl::StatusOr<LoadReport> LoadStreams(const Options& server, const LoadOptions& options,
                                       const std::vector<v1::EncodeRequest>& requests);

}  // namespace kwta::client
