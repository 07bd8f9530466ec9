#include "server/web/tls_credentials.h"

#include <gnutls/gnutls.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

gnutls_datum_t Datum(const std::string& text) {
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())), static_cast<unsigned>(text.size())};
}

absl::StatusOr<TlsCredentials::Shared> Load(const TlsFiles& files, const TlsTexts& texts) {
  gnutls_certificate_credentials_t made = nullptr;
  if (gnutls_certificate_allocate_credentials(&made) != GNUTLS_E_SUCCESS) {
    return absl::ResourceExhaustedError("no memory for certificates");
  }
  TlsCredentials::Shared credentials(made, &gnutls_certificate_free_credentials);
  const gnutls_datum_t certificate = Datum(texts.certificate), key = Datum(texts.key);
  const int loaded = gnutls_certificate_set_x509_key_mem(made, &certificate, &key, GNUTLS_X509_FMT_PEM);
  if (loaded < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", files.certificate, "' (--tls-cert) and '", files.key,
                     "' (--tls-key) are no certificate and its key: ", gnutls_strerror(loaded)));
  }
  if (files.client_ca.empty()) return credentials;
  const gnutls_datum_t authorities = Datum(texts.client_ca);
  const int trusted = gnutls_certificate_set_x509_trust_mem(made, &authorities, GNUTLS_X509_FMT_PEM);
  if (trusted > 0) return credentials;
  return absl::InvalidArgumentError(absl::StrCat("'", files.client_ca, "' (--tls-client-ca) holds no certificate",
                                                 trusted < 0 ? ": " : "", trusted < 0 ? gnutls_strerror(trusted) : ""));
}

}  // namespace

TlsCredentials::TlsCredentials(Certificates* certificates, std::function<void(const absl::Status&)> failed)
    : certificates_(certificates), failed_(std::move(failed)) {}

absl::StatusOr<std::unique_ptr<TlsCredentials>> TlsCredentials::Open(Certificates* certificates,
                                                                     std::function<void(const absl::Status&)> failed) {
  std::unique_ptr<TlsCredentials> credentials(new TlsCredentials(certificates, std::move(failed)));
  absl::MutexLock lock(&credentials->mutex_);
  KWTA_RETURN_IF_ERROR(credentials->Take(certificates->Current()));
  return credentials;
}

absl::Status TlsCredentials::Take(const std::shared_ptr<const TlsTexts>& texts) {
  tried_ = texts;
  KWTA_ASSIGN_OR_RETURN(credentials_, Load(certificates_->files(), *texts));
  taken_ = texts;
  return absl::OkStatus();
}

TlsCredentials::Shared TlsCredentials::Current() {
  const std::shared_ptr<const TlsTexts> texts = certificates_->Current();
  absl::MutexLock lock(&mutex_);
  if (texts != tried_) {
    if (const absl::Status status = Take(texts); !status.ok() && failed_) failed_(status);
  }
  return credentials_;
}

TlsTexts TlsCredentials::texts() const {
  absl::MutexLock lock(&mutex_);
  return *taken_;
}

}  // namespace kwta::server
