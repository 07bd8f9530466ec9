// A client of the HTTP port without TLS.
#pragma once

#include <string>

namespace kwta::testing {

struct HttpReply {
  int status = 0;
  std::string body;
};

// GET from 127.0.0.1, with further header lines. status is 0 if there was no answer.
HttpReply HttpGet(int port, const std::string& path, const std::string& headers = "");
// POST of JSON, likewise.
HttpReply HttpPost(int port, const std::string& path, const std::string& body);

}  // namespace kwta::testing
