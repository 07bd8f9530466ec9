// The gRPC port as the operator's options describe it.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/edge/acceptor.h"
#include "server/edge/connection_watch.h"
#include "server/metrics/metrics.h"
#include "server/options.h"

namespace kwta::server {

// Listens on the port with the limits of `options`, of which the limit on descriptors must leave room. Counts
// connections in `series`, which outlives the result. Errors: UNAVAILABLE (port in use, no such host, no descriptors).
absl::StatusOr<std::unique_ptr<Acceptor>> OpenGrpcPort(const Options& options, ConnectionSeries* series);

// Watches over the connections that are given to gRPC, logs and counts those that it ends, and tells the acceptor.
// REQUIRES: acceptor and metrics outlive the result.
std::unique_ptr<ConnectionWatch> WatchGrpcPort(const Options& options, Acceptor* acceptor, Metrics* metrics);

}  // namespace kwta::server
