// Text of requests. Private to the library.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace kwta::client {

// Whether every string of `message` is UTF-8: a server could not read it otherwise, and would say so without a word of
// which. Errors: INVALID_ARGUMENT naming the field.
absl::Status CheckText(const google::protobuf::Message& message);

}  // namespace kwta::client
