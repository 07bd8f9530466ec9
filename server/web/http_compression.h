// Compressed bodies of responses.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta::server {

// Returns true if a client that sends this header Accept-Encoding takes gzip.
bool TakesGzip(absl::string_view accept_encoding);

// Returns the body in gzip's form, as small as zlib makes it; empty if there is no memory for that.
std::string GzipOf(absl::string_view body);

}  // namespace kwta::server
