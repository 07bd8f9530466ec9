// The files that say who the server is and whom it lets in, the same for both ports.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kwta::server {

// Files in PEM form, read again when they change: certificates are renewed without a restart.
struct TlsFiles {
  std::string certificate;  // with the chain up to the root; empty: no TLS
  std::string key;
  std::string client_ca;  // who must have signed clients' certificates; empty: clients need none
  int reload_seconds = 10;
};

// What is in the files.
struct TlsTexts {
  std::string certificate, key, client_ca;

  bool operator==(const TlsTexts& other) const {
    return certificate == other.certificate && key == other.key && client_ca == other.client_ca;
  }
};

// Errors: those of reading a file, INVALID_ARGUMENT (no PEM), with the flag that names the file.
absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files);

// Whether connections can be made with `texts` at `now`: every certificate and the key can be read to their ends, the
// key, which has no passphrase, is that of the first certificate, and `now` lies between that one's dates. Gives when
// it expires. Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (dates), naming the file of `files` and its flag.
absl::StatusOr<absl::Time> CheckTlsTexts(const TlsFiles& files, const TlsTexts& texts, absl::Time now);

}  // namespace kwta::server
