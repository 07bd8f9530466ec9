#include "client/cli/options/field_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/parse_number.h"
#include "core/base/status_macros.h"
#include "google/protobuf/descriptor.h"

namespace kwta::client::cli {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status SetField(const std::string& name, const std::string& text, Message* message) {
  const google::protobuf::Descriptor* descriptor = message->GetDescriptor();
  const FieldDescriptor* field = descriptor->FindFieldByName(absl::StrReplaceAll(name, {{"-", "_"}}));
  if (field == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(descriptor->name(), " has no field named \"", name, "\""));
  }
  const Reflection* reflection = message->GetReflection();
  switch (field->is_repeated() ? FieldDescriptor::CPPTYPE_MESSAGE : field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32: {
      KWTA_ASSIGN_OR_RETURN(const uint32_t number, NumberIn<uint32_t>::Any().Parse(text));
      reflection->SetUInt32(message, field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      KWTA_ASSIGN_OR_RETURN(const uint64_t number, NumberIn<uint64_t>::Any().Parse(text));
      reflection->SetUInt64(message, field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      KWTA_ASSIGN_OR_RETURN(const float number, NumberIn<float>::Any().Parse(text));
      reflection->SetFloat(message, field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") {
        return absl::InvalidArgumentError(absl::StrCat(name, " is '", text, "'; expected true or false"));
      }
      reflection->SetBool(message, field, text == "true");
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat(name, " cannot be given as text"));
  }
}

}  // namespace kwta::client::cli
