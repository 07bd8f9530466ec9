// JSON for programs.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace kwta::client::cli {

// A message as one line of protobuf's JSON: the field names of the .proto files, fields without presence always there,
// 64-bit integers as strings, enumerators by name.
std::string ToJson(const google::protobuf::Message& message);

// One line. Text that is not UTF-8, as names of files may be, has U+FFFD in place of what is none.
std::string ToJson(const nlohmann::json& json);
// The same on a line a value, for files.
std::string ToJsonLines(const nlohmann::json& json);

}  // namespace kwta::client::cli
