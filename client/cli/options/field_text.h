// Fields of messages as text, as flags give them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace kwta::client::cli {

// Sets the field `name` of `message`, in which '-' may stand for '_', to what `text` says: a number
// (core/base/parse_number.h), or true or false. Errors: INVALID_ARGUMENT (no such field, another text, a field of
// another type).
absl::Status SetField(const std::string& name, const std::string& text, google::protobuf::Message* message);

}  // namespace kwta::client::cli
