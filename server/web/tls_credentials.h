// What the HTTP port shows to those who connect, and whom it trusts: files that are read again when they change.
#pragma once

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/security/tls_files.h"

struct gnutls_certificate_credentials_st;

namespace kwta::server {

// Thread-safe.
class TlsCredentials {
 public:
  // Certificate, key and authorities, as they were at one time: a connection keeps its own to its end.
  using Shared = std::shared_ptr<gnutls_certificate_credentials_st>;

  // `failed` hears, once each time, why files that changed are not taken; those read before are used on.
  // Errors: those of ReadTlsFiles, INVALID_ARGUMENT (no certificate or key in a file, or they do not belong together).
  static absl::StatusOr<std::unique_ptr<TlsCredentials>> Open(TlsFiles files,
                                                              std::function<void(const absl::Status&)> failed);

  const TlsFiles& files() const { return files_; }
  bool asks_clients() const { return !files_.client_ca.empty(); }

  // For a new connection. Looks at the files if the last look is longer ago than reload_seconds.
  Shared Current();
  // The certificate and key that Current gave last.
  TlsTexts texts() const;

 private:
  TlsCredentials(TlsFiles files, std::function<void(const absl::Status&)> failed);

  absl::Status Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TlsFiles files_;
  const std::function<void(const absl::Status&)> failed_;
  mutable absl::Mutex mutex_;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
  TlsTexts texts_ ABSL_GUARDED_BY(mutex_);
  Shared credentials_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
