#include "client/text_check.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "google/protobuf/descriptor.h"

namespace kwta::client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status CheckString(const FieldDescriptor* field, const std::string& text) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field->name(), " '", absl::CHexEscape(text),
                                                 "' is not UTF-8 and cannot be sent; use a name that is"));
}

absl::Status CheckField(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (!field->is_repeated()) {
    if (is_message) {
      return reflection->HasField(message, field) ? CheckText(reflection->GetMessage(message, field))
                                                  : absl::OkStatus();
    }
    std::string scratch;
    return CheckString(field, reflection->GetStringReference(message, field, &scratch));
  }
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    if (is_message) {
      KWTA_RETURN_IF_ERROR(CheckText(reflection->GetRepeatedMessage(message, field, i)));
    } else {
      std::string scratch;
      KWTA_RETURN_IF_ERROR(CheckString(field, reflection->GetRepeatedStringReference(message, field, i, &scratch)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckText(const Message& message) {
  const google::protobuf::Descriptor* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const bool text = field->type() == FieldDescriptor::TYPE_STRING;  // not of bytes
    if (text || field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      KWTA_RETURN_IF_ERROR(CheckField(message, field));
    }
  }
  return absl::OkStatus();
}

}  // namespace kwta::client
