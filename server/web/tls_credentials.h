// Converts certificates to the form that the HTTP port's library takes.
#pragma once

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/security/certificates.h"

struct gnutls_certificate_credentials_st;

namespace kwta::server {

// Thread-safe.
class TlsCredentials {
 public:
  // Certificate, key and authorities of one moment. A connection keeps its own to its end.
  using Shared = std::shared_ptr<gnutls_certificate_credentials_st>;

  // Calls `failed` once for each set of certificates that this library rejects; the earlier ones stay in use. REQUIRES:
  // certificates outlives it. Errors: INVALID_ARGUMENT.
  static absl::StatusOr<std::unique_ptr<TlsCredentials>> Open(Certificates* certificates,
                                                              std::function<void(const absl::Status&)> failed);

  bool asks_clients() const { return certificates_->asks_clients(); }

  // Returns the credentials for a new connection.
  Shared Current();
  // The certificate and key that Current returned last.
  TlsTexts texts() const;

 private:
  TlsCredentials(Certificates* certificates, std::function<void(const absl::Status&)> failed);

  absl::Status Take(const std::shared_ptr<const TlsTexts>& texts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Certificates* const certificates_;
  const std::function<void(const absl::Status&)> failed_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const TlsTexts> tried_ ABSL_GUARDED_BY(mutex_), taken_ ABSL_GUARDED_BY(mutex_);
  Shared credentials_ ABSL_GUARDED_BY(mutex_);  // of taken_
};

}  // namespace kwta::server
