#include "client/cli/json.h"

#include "google/protobuf/util/json_util.h"

namespace kwta::client::cli {
namespace {

std::string Dump(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  // This fails only on text fields that are not UTF-8, which a message from the wire cannot have.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

std::string ToJson(const nlohmann::json& json) { return Dump(json, -1); }

std::string ToJsonLines(const nlohmann::json& json) { return Dump(json, 2); }

}  // namespace kwta::client::cli
