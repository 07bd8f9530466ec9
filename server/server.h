// The whole server: makes all of its parts, in order, and destroys them.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "server/options.h"
#include "server/placement/compute_backends.h"

namespace kwta::server {

// Drain may be called while calls are served; use everything else from one thread.
class Server {
 public:
  // Returns once the server answers on both ports. Errors tell the operator what to do: PERMISSION_DENIED (state
  // directory), FAILED_PRECONDITION (in use by another server), UNAVAILABLE (port in use), NOT_FOUND
  // (backend), CANCELLED (`stopping` returned true before the server was ready; it may be empty, and any thread may
  // call it). A job store that cannot be opened is none of them: jobs wait until it can.
  // `open_backends` is for tests that have a device of their own.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, std::function<bool()> stopping = {},
                                                       OpenBackends open_backends = OpenComputeBackends);
  // Checks whether Start would succeed, as far as possible without making, taking or changing anything. Does not check
  // what another server uses now. Errors: those of Start.
  static absl::Status Check(const Options& options);
  // Drains if Drain was not called.
  ~Server();

  int grpc_port() const;
  int http_port() const;

  // Reports "not serving" and "not ready" at once and keeps serving for drain_delay. Then tells trainers to write a
  // checkpoint and stop, refuses new calls, and gives calls in flight drain_grace to finish. Blocks until all is done.
  void Drain();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace kwta::server
