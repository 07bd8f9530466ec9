#include "server/security/tls_files.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::server {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadPem(const std::string& path, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxPemBytes));
  if (absl::StrContains(text, "-----BEGIN ")) return text;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' (", flag, ") is not in PEM form"));
}

}  // namespace

absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files) {
  TlsTexts texts;
  KWTA_ASSIGN_OR_RETURN(texts.certificate, ReadPem(files.certificate, "--tls-cert"));
  KWTA_ASSIGN_OR_RETURN(texts.key, ReadPem(files.key, "--tls-key"));
  if (!files.client_ca.empty()) {
    KWTA_ASSIGN_OR_RETURN(texts.client_ca, ReadPem(files.client_ca, "--tls-client-ca"));
  }
  return texts;
}

}  // namespace kwta::server
