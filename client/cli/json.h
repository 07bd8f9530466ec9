// JSON for programs.
#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace kwta::client::cli {

// A message as one line of protobuf's JSON: the field names of the .proto files, fields without presence always there,
// 64-bit integers as strings, enumerators by name.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace kwta::client::cli
