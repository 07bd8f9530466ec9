// Watches over what the clients of the gRPC port's connections send, and ends connections that break the rules.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/edge/connection_meter.h"

namespace kwta::server {

// gRPC 1.51 has no means against rapid resets and their kind, and no hook to count frames. This class stands between
// its HTTP/2 transport and the function that parses what the transport has read (after TLS): the program defines the
// functions of libgrpc.so that are named in connection_watch.cc, and each calls the library's own one. No byte is
// copied. A program built with another gRPC has unwatched_connections.cc instead. Any thread may call it.
class ConnectionWatch {
 public:
  struct Options {
    // Bytes of unfinished messages that all connections together may make the server hold.
    int64_t max_held_bytes = std::numeric_limits<int64_t>::max();
    int64_t max_message_bytes = std::numeric_limits<int64_t>::max();
  };
  // Called on threads of gRPC.
  struct Events {
    // A connection of `host` is ended.
    std::function<void(const std::string& host, Offence offence)> ended;
    // A message is refused, and its call is answered with RESOURCE_EXHAUSTED. The call itself learns only that it is
    // over.
    std::function<void()> refused;
  };

  ConnectionWatch(const Options& options, Events events);
  // The connections that it expected are no longer watched.
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // Looks, the first time, whether the gRPC that this program runs with is one whose functions it knows, and tries them
  // on a connection of its own. Errors: FAILED_PRECONDITION, which says what is amiss; then nothing is watched.
  static absl::Status Works();

  // Call it before gRPC gets the descriptor of a new connection. `offender`: see ConnectionMeter.
  void Expect(int descriptor, const std::string& host, bool offender);

  // Until the result is destroyed, a call of the connection of `peer`, as gRPC writes it, waits for a small message,
  // and the connection may hold little. So strangers whose calls need no token cannot send large ones.
  std::shared_ptr<void> ExpectSmall(const std::string& peer);

  // Bytes of unfinished messages that the connections make the server hold now.
  int64_t held_bytes() const;

  // What the hooks share with it.
  struct Shared;

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace kwta::server
