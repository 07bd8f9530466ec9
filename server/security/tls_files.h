// The files that prove the server's identity and say whom it admits. Both ports use the same ones.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kwta::server {

// PEM files. The server rereads them when they change, so certificates are renewed without a restart.
struct TlsFiles {
  std::string certificate;  // with the chain up to the root; empty: no TLS
  std::string key;
  std::string client_ca;  // signs the clients' certificates; empty: clients need none
  int reload_seconds = 10;
};

// The contents of the files.
struct TlsTexts {
  std::string certificate, key, client_ca;

  bool operator==(const TlsTexts& other) const {
    return certificate == other.certificate && key == other.key && client_ca == other.client_ca;
  }
};

// Errors: those of reading a file, INVALID_ARGUMENT (not PEM), with the flag that names the file.
absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files);

// Checks that `texts` can serve connections at `now`, and returns when the first certificate expires. Every certificate
// and the key must be readable to their ends; the key must belong to the first certificate and have no passphrase;
// `now` must lie between that certificate's dates. Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (dates), naming the
// file of `files` and its flag.
absl::StatusOr<absl::Time> CheckTlsTexts(const TlsFiles& files, const TlsTexts& texts, absl::Time now);

}  // namespace kwta::server
