#include "server/metrics/connection_series.h"

namespace kwta::server {
namespace {

constexpr const char* kPortNames[] = {"grpc", "http"};
constexpr const char* kConnectionRefusalNames[] = {"total",      "host", "handshake",  "resets",
                                                   "held_bytes", "idle", "descriptors"};

}  // namespace

void ConnectionSeries::Collect(Collection* collection) const {
  for (size_t port = 0; port < kPorts; ++port) {
    const SampleLabels labels = {{"port", kPortNames[port]}};
    collection->Add("kwta_connections_open", labels, static_cast<double>(open_[port].load(std::memory_order_relaxed)));
    collection->Add("kwta_connections_total", labels,
                    static_cast<double>(accepted_[port].load(std::memory_order_relaxed)));
    for (size_t reason = 0; reason < kReasons; ++reason) {
      collection->Add("kwta_connections_refused_total",
                      {{"port", kPortNames[port]}, {"reason", kConnectionRefusalNames[reason]}},
                      static_cast<double>(refused_[port][reason].load(std::memory_order_relaxed)));
    }
  }
}

}  // namespace kwta::server
