// The whole server: everything it consists of is made here, in order, and destroyed here.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/options.h"

namespace kwta::server {

// Drain may be called while calls are served; all else from one thread.
class Server {
 public:
  // Returns once the server answers on both ports. Errors say what the operator can do: PERMISSION_DENIED (state
  // directory), FAILED_PRECONDITION (in use by another server), UNAVAILABLE (port in use), DATA_LOSS (job store),
  // NOT_FOUND (backend).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);
  // Whether Start would succeed, as far as that can be told without making, taking or changing anything: what is in use
  // by another server now is not looked at. Errors: those of Start.
  static absl::Status Check(const Options& options);
  // Drains if that was not done.
  ~Server();

  int grpc_port() const;
  int http_port() const;

  // Reports "not serving" and "not ready" at once and goes on serving for drain_delay; then tells trainers to write a
  // checkpoint and stop, refuses new calls and gives those in flight drain_grace to finish. Blocks until all is done.
  void Drain();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace kwta::server
