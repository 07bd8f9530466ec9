// Which connections the gRPC port lets in, and when. Knows no sockets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "server/metrics/connection_series.h"

namespace kwta::server {

// Not thread-safe.
class ConnectionLimits {
 public:
  ConnectionLimits(int most, int most_of_one_host) : most_(most), most_of_one_host_(most_of_one_host) {}

  // Counts a connection of `host` if there is room for it, else says why there is none.
  std::optional<ConnectionRefusal> Add(const std::string& host);
  void Remove(const std::string& host);
  int open() const { return open_; }
  bool full() const { return open_ >= most_; }
  int most() const { return most_; }
  int most_of_one_host() const { return most_of_one_host_; }

  // Records that a connection of `host` was ended because of what it did. For kWary after the last offence, the host's
  // connections start kGap apart.
  void Offended(const std::string& host, SteadyTime now);
  bool IsOffender(const std::string& host, SteadyTime now);
  // Returns when the next connection of `host` may start, and reserves that time: `now` unless the host offended.
  SteadyTime NextStart(const std::string& host, SteadyTime now);

  // Honest callers of the same host wait about twice this long too, so it is short. An attacker gets a few hundred
  // connections a second, and to accept and end them takes about a tenth of a processor.
  static constexpr absl::Duration kGap = absl::Milliseconds(3);
  static constexpr absl::Duration kWary = absl::Seconds(30);

 private:
  struct Offender {
    SteadyTime until;
    SteadyTime next_start;
  };

  const int most_;
  const int most_of_one_host_;
  int open_ = 0;
  std::map<std::string, int> of_host_;
  std::map<std::string, Offender> offenders_;
};

// How many connections fit into a limit of `descriptors`, of which the HTTP port may take up to http_connections.
// Enough are left for the server's own files.
int ConnectionsFor(uint64_t descriptors, int http_connections);

// How many connections the HTTP port may hold under that limit.
int HttpConnectionsFor(uint64_t descriptors);

}  // namespace kwta::server
