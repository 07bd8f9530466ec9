// What callers are told of methods that the server does not have.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta::server {

// `path` is "/package.Service/Method". Says what is not served and, where the Open Inference Protocol has such methods,
// what to do instead.
std::string UnservedText(absl::string_view path);

}  // namespace kwta::server
