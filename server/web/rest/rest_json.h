// Reads and writes the JSON of the Open Inference Protocol over HTTP.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/repeated_field.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

// Parses `text` into `*json`, except for the numbers of inputs[i].data, which go to (*data)[i], flat. In their place
// `*json` has true. Limits depth and the number of other values. Errors: INVALID_ARGUMENT saying where.
absl::Status ParseRestJson(absl::string_view text, nlohmann::json* json,
                           std::vector<google::protobuf::RepeatedField<float>>* data);

// Every field of the message by its name in the proto, set or not, except empty maps and unset members of a oneof.
// Integers are numbers, enums their names.
nlohmann::ordered_json ToRestJson(const google::protobuf::Message& message);

}  // namespace kwta::server
