// The message for callers of methods that the server does not have.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta::server {

// Says what is not served. For methods of the Open Inference Protocol, also says what to do instead. `path` is
// "/package.Service/Method".
std::string UnservedText(absl::string_view path);

}  // namespace kwta::server
