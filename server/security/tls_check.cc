// Checks certificates and keys with OpenSSL.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/security/tls_files.h"

namespace kwta::server {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

BioPtr PemBytes(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

// Returns OpenSSL's reason for its last failure and clears its queue of errors.
std::string OpenSslReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string words = reason == nullptr ? "it makes no sense" : reason;
  ERR_clear_error();
  return words;
}

// Without this, OpenSSL would ask for the passphrase on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<std::vector<CertificatePtr>> ReadCertificates(const std::string& text, const std::string& path,
                                                             const char* flag) {
  std::vector<CertificatePtr> certificates;
  ERR_clear_error();
  const BioPtr bytes = PemBytes(text);
  while (X509* certificate = PEM_read_bio_X509(bytes.get(), nullptr, &NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate, &X509_free);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = OpenSslReason();
  if (certificates.empty() && at_end) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' (", flag, ") holds no certificate"));
  }
  if (!at_end) {
    return absl::InvalidArgumentError(absl::StrCat("certificate ", certificates.size() + 1, " of '", path, "' (", flag,
                                                   ") is damaged or cut short: ", reason));
  }
  return certificates;
}

// True if the private half of a key matches the public half. The certificate is compared with the public half only.
bool IsWhole(EVP_PKEY* key) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(EVP_PKEY_CTX_new(key, nullptr),
                                                                            &EVP_PKEY_CTX_free);
  return context != nullptr && EVP_PKEY_pairwise_check(context.get()) == 1;
}

absl::StatusOr<absl::Time> TimeOfAsn1(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InvalidArgumentError("its dates cannot be read");
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> CheckDates(const X509* certificate, const std::string& path, absl::Time now) {
  KWTA_ASSIGN_OR_RETURN(const absl::Time begins, TimeOfAsn1(X509_get0_notBefore(certificate)));
  KWTA_ASSIGN_OR_RETURN(const absl::Time expires, TimeOfAsn1(X509_get0_notAfter(certificate)));
  const auto refuse = [&](const char* how, absl::Time when) {
    return absl::FailedPreconditionError(absl::StrCat("the certificate in '", path, "' (--tls-cert) ", how, " ",
                                                      absl::FormatTime(absl::RFC3339_sec, when, absl::UTCTimeZone()),
                                                      "; renew it, or set this machine's clock right"));
  };
  if (now < begins) return refuse("is not valid before", begins);
  if (now >= expires) return refuse("expired at", expires);
  return expires;
}

}  // namespace

absl::StatusOr<absl::Time> CheckTlsTexts(const TlsFiles& files, const TlsTexts& texts, absl::Time now) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<CertificatePtr> chain,
                        ReadCertificates(texts.certificate, files.certificate, "--tls-cert"));
  const KeyPtr key(PEM_read_bio_PrivateKey(PemBytes(texts.key).get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free);
  const bool match =
      key != nullptr && X509_check_private_key(chain.front().get(), key.get()) == 1 && IsWhole(key.get());
  if (!match) {
    return absl::InvalidArgumentError(absl::StrCat("'", files.certificate, "' (--tls-cert) and '", files.key,
                                                   "' (--tls-key) are no certificate and its key: ", OpenSslReason()));
  }
  if (!files.client_ca.empty()) {
    KWTA_RETURN_IF_ERROR(ReadCertificates(texts.client_ca, files.client_ca, "--tls-client-ca").status());
  }
  return CheckDates(chain.front().get(), files.certificate, now);
}

}  // namespace kwta::server
