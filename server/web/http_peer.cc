#include "server/web/http_peer.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/edge/host.h"

namespace kwta::server {
namespace {

constexpr size_t kMostNameBytes = 256;
constexpr char kPrefix[] = "certificate:";

struct FreeCertificate {
  void operator()(gnutls_x509_crt_int* certificate) const { gnutls_x509_crt_deinit(certificate); }
};

}  // namespace

std::string HostOfAddress(const sockaddr* address) {
  sockaddr_storage peer = {};
  if (address != nullptr && address->sa_family == AF_INET) std::memcpy(&peer, address, sizeof(sockaddr_in));
  if (address != nullptr && address->sa_family == AF_INET6) std::memcpy(&peer, address, sizeof(sockaddr_in6));
  const std::string host = HostOf(peer);
  if (host.empty()) return "unknown";
  return absl::StrCat(absl::StrContains(host, ':') ? "ipv6:" : "ipv4:", host);
}

bool TrustsClient(gnutls_session_int* session) {
  char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
  gnutls_typed_vdata_st expected = {GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose), 0};
  unsigned wrong = 0;
  return gnutls_certificate_verify_peers(session, &expected, 1, &wrong) == GNUTLS_E_SUCCESS && wrong == 0;
}

std::string NameOfClient(gnutls_session_int* session) {
  unsigned count = 0;
  const gnutls_datum_t* shown = gnutls_certificate_get_peers(session, &count);
  gnutls_x509_crt_t made = nullptr;
  if (shown == nullptr || count == 0 || gnutls_x509_crt_init(&made) != GNUTLS_E_SUCCESS) return "";
  const std::unique_ptr<gnutls_x509_crt_int, FreeCertificate> certificate(made);
  if (gnutls_x509_crt_import(made, &shown[0], GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS) return "";
  std::array<char, kMostNameBytes> name = {};
  size_t size = name.size();
  if (gnutls_x509_crt_get_subject_alt_name(made, 0, name.data(), &size, nullptr) >= 0) {
    return absl::StrCat(kPrefix, absl::string_view(name.data(), size));
  }
  size = name.size();
  if (gnutls_x509_crt_get_dn_by_oid(made, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name.data(), &size) < 0) return "";
  return absl::StrCat(kPrefix, absl::string_view(name.data(), size));
}

}  // namespace kwta::server
