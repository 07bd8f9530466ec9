// The series of connections, by port.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/metrics/collection.h"

namespace kwta::server {

enum class Port { kGrpc, kHttp };

enum class ConnectionRefusal {
  kTotal,        // as many as there may be
  kHost,         // as many as one host may have
  kHandshake,    // it did not finish TLS or HTTP/2 settings in time
  kResets,       // it began and reset too many calls
  kHeldBytes,    // it made the server hold too many bytes
  kIdle,         // it sent or took nothing for too long
  kDescriptors,  // no descriptor is free
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
  // A connection was refused, or closed for this reason.
  void Refused(Port port, ConnectionRefusal reason) {
    At(refused_, port)[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }

  void Collect(Collection* collection) const;

 private:
  static constexpr size_t kPorts = 2;
  static constexpr size_t kReasons = 7;

  template <typename T>
  static T& At(std::array<T, kPorts>& of_ports, Port port) {
    return of_ports[static_cast<size_t>(port)];
  }

  std::array<std::atomic<int64_t>, kPorts> open_{};
  std::array<std::atomic<uint64_t>, kPorts> accepted_{};
  std::array<std::array<std::atomic<uint64_t>, kReasons>, kPorts> refused_{};
};

}  // namespace kwta::server
