// The series of connections, by port.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "server/metrics/collection.h"

namespace kwta::server {

enum class Port { kGrpc, kHttp };
// "grpc", "http".
const char* PortName(Port port);

// Why a connection was refused, or closed by the server.
enum class ConnectionRefusal {
  kTotal,        // there are as many as there may be
  kHost,         // there are as many as one host may have
  kDescriptors,  // no descriptor is free
  kMadeRoom,     // it was idle for longest, and a new one came
  kSlow,         // its request took too long to arrive, or its client too long to take the answer
  // What a client of HTTP/2 did; server/edge/connection_meter.h has the rules.
  kRapidResets,
  kAbandonedCalls,
  kStreams,
  kHeaders,
  kControlFrames,
  kHeldBytes,
};

// Thread-safe.
class ConnectionSeries {
 public:
  // A connection was accepted; Closed ends each Opened.
  void Opened(Port port) {
    At(accepted_, port).fetch_add(1, std::memory_order_relaxed);
    At(open_, port).fetch_add(1, std::memory_order_relaxed);
  }
  void Closed(Port port) { At(open_, port).fetch_sub(1, std::memory_order_relaxed); }
  // A connection was refused, or closed for this reason. REQUIRES: the port has the reason; see connection_series.cc.
  void Refused(Port port, ConnectionRefusal reason) {
    At(refused_, port)[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }

  // The reasons for which connections of any port were refused, and how many of them.
  std::map<std::string, uint64_t> Refusals() const;

  void Collect(Collection* collection) const;

 private:
  static constexpr size_t kPorts = 2;
  static constexpr size_t kReasons = 11;

  template <typename T>
  static T& At(std::array<T, kPorts>& of_ports, Port port) {
    return of_ports[static_cast<size_t>(port)];
  }

  std::array<std::atomic<int64_t>, kPorts> open_{};
  std::array<std::atomic<uint64_t>, kPorts> accepted_{};
  std::array<std::array<std::atomic<uint64_t>, kReasons>, kPorts> refused_{};
};

}  // namespace kwta::server
