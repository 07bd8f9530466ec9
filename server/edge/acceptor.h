// Accepts the connections of the gRPC port, so that they have limits and a shortage of descriptors does no lasting
// harm.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/edge/connection_limits.h"

namespace kwta::server {

struct AcceptorOptions {
  std::string address;  // host:port; port 0 picks a free one
  int max_connections = 1;
  int max_connections_of_one_host = 1;
};

struct AcceptorEvents {
  // A connection was accepted, and one of these was closed, which is noticed within a second.
  std::function<void()> opened;
  std::function<void()> closed;
  std::function<void(ConnectionRefusal reason)> refused;
  // About a second passed. Empty: nobody wants to know.
  std::function<void()> passed;
};

// Accepts on one thread, which waits for nobody. A connection that is refused is closed at once. If the process runs
// out of descriptors, waiting connections are refused with the help of a spare descriptor; accepting goes on within a
// tenth of a second of when there is room again.
class Acceptor {
 public:
  // Owns the descriptor, which does not block, from then on. `offender`: another connection of this host was ended a
  // short time ago because of what it did.
  using Give = std::function<void(int descriptor, const std::string& host, bool offender)>;

  // Listens; connections wait until Start. Errors: UNAVAILABLE (port in use, no such host, no descriptors).
  static absl::StatusOr<std::unique_ptr<Acceptor>> Open(const AcceptorOptions& options, AcceptorEvents events);
  // Stops.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const;
  // Call it once. The acceptor's thread calls `give`.
  void Start(Give give);
  // Listens no longer. Once it returns, nothing more is given.
  void Stop();

  // The next connections of `host` are given one by one for a while. Thread-safe.
  void Offended(const std::string& host);
  // An empty string, or why connections are refused now whoever makes them. Thread-safe.
  std::string trouble() const;

 private:
  class Loop;
  explicit Acceptor(std::unique_ptr<Loop> loop);

  const std::unique_ptr<Loop> loop_;
};

}  // namespace kwta::server
