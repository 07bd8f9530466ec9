// Sets fields of messages from the text of flags.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace kwta::client::cli {

// Sets the field `name` of `message` to the value of `text`: a number (core/base/parse_number.h), or true or false. '-'
// may replace '_' in `name`. Errors: INVALID_ARGUMENT (no such field, invalid text, or a field of another type).
absl::Status SetField(const std::string& name, const std::string& text, google::protobuf::Message* message);

}  // namespace kwta::client::cli
