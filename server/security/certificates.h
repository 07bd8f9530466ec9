// Holds the certificates of both ports and the authorities they trust. Rereads changed files and takes all of them or
// none.
#pragma once

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/steady_time.h"
#include "server/security/tls_files.h"

namespace kwta::server {

// Thread-safe.
class Certificates {
 public:
  struct Events {
    // The files were taken; the server's certificate expires at `expires`. The first call comes from within Open.
    std::function<void(absl::Time expires)> taken;
    // Called once for each change: OK, or why the files are not taken. The earlier ones then stay in use.
    std::function<void(const absl::Status&)> looked;
  };

  // The callbacks in `events` may be empty. Errors: those of ReadTlsFiles and CheckTlsTexts.
  static absl::StatusOr<std::unique_ptr<Certificates>> Open(TlsFiles files, Events events,
                                                            std::function<absl::Time()> now = absl::Now);

  const TlsFiles& files() const { return files_; }
  bool asks_clients() const { return !files_.client_ca.empty(); }

  // Returns the certificates for a new connection; the same object until others are taken. Checks the files if the last
  // check is longer ago than reload_seconds.
  std::shared_ptr<const TlsTexts> Current();

 private:
  Certificates(TlsFiles files, Events events, std::function<absl::Time()> now);

  absl::Status Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TlsFiles files_;
  const Events events_;
  const std::function<absl::Time()> now_;
  absl::Mutex mutex_;
  SteadyTime next_look_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const TlsTexts> texts_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_look_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
