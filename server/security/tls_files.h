// The files that say who the server is and whom it lets in, the same for both ports.
#pragma once

#include <string>

#include "absl/status/statusor.h"

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
};

// Errors: those of reading a file, INVALID_ARGUMENT (no PEM), with the flag that names the file.
absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files);

}  // namespace kwta::server
