// A client of the HTTP port with TLS.
#pragma once

#include <string>

namespace kwta::testing {

// PEM files; the client shows no certificate if it has none.
struct HttpsIdentity {
  std::string ca;
  std::string certificate, key;
};

// The whole answer of 127.0.0.1:`port` to GET `path`; empty if there is none, as when a side does not trust the other.
std::string HttpsGet(int port, const std::string& path, const HttpsIdentity& identity, const std::string& headers = "");

}  // namespace kwta::testing
