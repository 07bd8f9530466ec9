// Watches over what the clients of the gRPC port's connections send, and ends connections that break the rules.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/edge/connection_meter.h"

namespace kwta::server {

// gRPC 1.51.1 has no means against rapid resets and their kind, and no hook to count frames. This class stands between
// its HTTP/2 transport and the function that parses what the transport has read (after TLS): the program defines the
// functions of libgrpc.so that are named in connection_watch.cc, and each calls the library's own one. No byte is
// copied. Any thread may call it.
class ConnectionWatch {
 public:
  struct Options {
    // Bytes of unfinished messages that all connections together may make the server hold.
    int64_t max_held_bytes = 0;
  };
  // Called on a thread of gRPC when a connection of `host` is ended.
  using Ended = std::function<void(const std::string& host, Offence offence)>;

  ConnectionWatch(const Options& options, Ended ended);
  // The connections that it expected are no longer watched.
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // Whether this program's gRPC has the functions. Without them, nothing is watched.
  static bool Works();

  // Call it before gRPC gets the descriptor of a new connection. `offender`: see ConnectionMeter.
  void Expect(int descriptor, const std::string& host, bool offender);

  // Bytes of unfinished messages that the connections make the server hold now.
  int64_t held_bytes() const;

  // What the hooks share with it.
  struct Shared;

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace kwta::server
