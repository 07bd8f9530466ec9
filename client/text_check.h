// Checks the text of requests. Private to the library.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace kwta::client {

// Checks that every string of `message` is UTF-8. A server could not read the message otherwise, and its error would
// not name the field. Errors: INVALID_ARGUMENT naming the field.
absl::Status CheckText(const google::protobuf::Message& message);

}  // namespace kwta::client
