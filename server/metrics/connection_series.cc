#include "server/metrics/connection_series.h"

#include <iterator>

namespace kwta::server {
namespace {

struct RefusalReason {
  const char* name;
  bool of_grpc, of_http;  // the ports that have it

  bool IsOf(size_t port) const { return static_cast<Port>(port) == Port::kGrpc ? of_grpc : of_http; }
};

// In the order of ConnectionRefusal.
constexpr RefusalReason kReasonsOfRefusal[] = {{"total", true, true},
                                               {"host", true, true},
                                               {"descriptors", true, false},
                                               {"made_room", false, true},
                                               {"slow", false, true},
                                               {"rapid_resets", true, false},
                                               {"abandoned_calls", true, false},
                                               {"streams", true, false},
                                               {"headers", true, false},
                                               {"control_frames", true, false},
                                               {"held_bytes", true, false}};

}  // namespace

const char* PortName(Port port) { return port == Port::kGrpc ? "grpc" : "http"; }

std::map<std::string, uint64_t> ConnectionSeries::Refusals() const {
  std::map<std::string, uint64_t> refusals;
  for (size_t reason = 0; reason < kReasons; ++reason) {
    uint64_t count = 0;
    for (const auto& of_port : refused_) count += of_port[reason].load(std::memory_order_relaxed);
    if (count > 0) refusals[kReasonsOfRefusal[reason].name] = count;
  }
  return refusals;
}

void ConnectionSeries::Collect(Collection* collection) const {
  static_assert(std::size(kReasonsOfRefusal) == kReasons);
  for (size_t port = 0; port < kPorts; ++port) {
    const char* const name = PortName(static_cast<Port>(port));
    const SampleLabels labels = {{"port", name}};
    collection->Add("kwta_connections_open", labels, static_cast<double>(open_[port].load(std::memory_order_relaxed)));
    collection->Add("kwta_connections_total", labels,
                    static_cast<double>(accepted_[port].load(std::memory_order_relaxed)));
    for (size_t reason = 0; reason < kReasons; ++reason) {
      if (!kReasonsOfRefusal[reason].IsOf(port)) continue;
      collection->Add("kwta_connections_refused_total", {{"port", name}, {"reason", kReasonsOfRefusal[reason].name}},
                      static_cast<double>(refused_[port][reason].load(std::memory_order_relaxed)));
    }
  }
}

}  // namespace kwta::server
