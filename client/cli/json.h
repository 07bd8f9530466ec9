// Writes JSON for programs.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace kwta::client::cli {

// Returns a message as one line of protobuf's JSON. It uses the field names of the .proto files, always includes fields
// without presence, and writes 64-bit integers as strings and enumerators by name.
std::string ToJson(const google::protobuf::Message& message);

// Returns one line. Replaces invalid UTF-8, which file names may contain, with U+FFFD.
std::string ToJson(const nlohmann::json& json);
// Returns the same with one value per line, for files.
std::string ToJsonLines(const nlohmann::json& json);

}  // namespace kwta::client::cli
