#include "client/cli/json.h"

#include "google/protobuf/util/json_util.h"

namespace kwta::client::cli {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  // It fails only on text fields that are not UTF-8, which a message from the wire cannot have.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

}  // namespace kwta::client::cli
