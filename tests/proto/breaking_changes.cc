#include "tests/proto/breaking_changes.h"

#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::OneofDescriptor;
using google::protobuf::ServiceDescriptor;

// "repeated kwta.v1.EncoderSpec", "optional uint32 in oneof kind".
std::string TypeOf(const FieldDescriptor& field) {
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type = field.message_type()->full_name();
  if (field.enum_type() != nullptr) type = field.enum_type()->full_name();
  const OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof != nullptr) return absl::StrCat(type, " in oneof ", oneof->name());
  if (field.is_repeated()) return absl::StrCat("repeated ", type);
  if (field.is_required()) return absl::StrCat("required ", type);
  return field.has_optional_keyword() ? absl::StrCat("optional ", type) : type;
}

std::string TypeOf(const MethodDescriptor& method) {
  const auto side = [](bool stream, const Descriptor& message) {
    return absl::StrCat(stream ? "stream " : "", message.full_name());
  };
  return absl::StrCat("(", side(method.client_streaming(), *method.input_type()), ") returns (",
                      side(method.server_streaming(), *method.output_type()), ")");
}

// Fields and values of enums have the same rules under different names of methods.
const FieldDescriptor* FindNumber(const Descriptor& message, int number) { return message.FindFieldByNumber(number); }
const FieldDescriptor* FindName(const Descriptor& message, const std::string& name) {
  return message.FindFieldByName(name);
}
const EnumValueDescriptor* FindNumber(const EnumDescriptor& type, int number) { return type.FindValueByNumber(number); }
const EnumValueDescriptor* FindName(const EnumDescriptor& type, const std::string& name) {
  return type.FindValueByName(name);
}

// Whether what had a number and a name still has both. If it is gone, both must be reserved.
template <typename Container, typename Member>
bool KeepsNumberAndName(const Member& was, const Container& now, std::vector<std::string>* changes) {
  const std::string what = absl::StrCat(now.full_name(), ": ", was.name(), " = ", was.number());
  if (const auto* same_name = FindName(now, was.name())) {
    if (same_name->number() == was.number()) return true;
    changes->push_back(absl::StrCat(what, " has another number, ", same_name->number()));
  } else if (const auto* same_number = FindNumber(now, was.number())) {
    changes->push_back(absl::StrCat(what, " has another name, ", same_number->name()));
  } else if (!now.IsReservedNumber(was.number()) || !now.IsReservedName(was.name())) {
    changes->push_back(absl::StrCat(what, " is gone; write 'reserved ", was.number(), "; reserved \"", was.name(),
                                    "\";' in its place"));
  }
  return false;
}

// What takes a number or a name that the release had reserved. Ends of an enum's ranges are inclusive, of a message's
// not: both say so themselves when they are asked for a number.
template <typename Container, typename Member>
void CheckReserved(const Container& was, const Member& member, std::vector<std::string>* changes) {
  if (!was.IsReservedNumber(member.number()) && !was.IsReservedName(member.name())) return;
  changes->push_back(absl::StrCat(was.full_name(), ": ", member.name(), " = ", member.number(),
                                  " takes a number or a name that was reserved; take another"));
}

void CompareEnums(const EnumDescriptor& was, const DescriptorPool& now_pool, std::vector<std::string>* changes) {
  const EnumDescriptor* now = now_pool.FindEnumTypeByName(was.full_name());
  if (now == nullptr) {
    changes->push_back(absl::StrCat("enum ", was.full_name(), " is gone"));
    return;
  }
  for (int i = 0; i < was.value_count(); ++i) KeepsNumberAndName(*was.value(i), *now, changes);
  for (int i = 0; i < now->value_count(); ++i) CheckReserved(was, *now->value(i), changes);
}

void CompareMessages(const Descriptor& was, const DescriptorPool& now_pool, std::vector<std::string>* changes) {
  const Descriptor* now = now_pool.FindMessageTypeByName(was.full_name());
  if (now == nullptr) {
    changes->push_back(absl::StrCat("message ", was.full_name(), " is gone"));
    return;
  }
  for (int i = 0; i < was.field_count(); ++i) {
    const FieldDescriptor& field = *was.field(i);
    if (!KeepsNumberAndName(field, *now, changes)) continue;
    const FieldDescriptor& same = *now->FindFieldByNumber(field.number());
    if (TypeOf(same) != TypeOf(field)) {
      changes->push_back(absl::StrCat(field.full_name(), " was ", TypeOf(field), " and is ", TypeOf(same)));
    }
    if (same.json_name() != field.json_name()) {
      changes->push_back(
          absl::StrCat(field.full_name(), " was ", field.json_name(), " in JSON and is ", same.json_name()));
    }
  }
  for (int i = 0; i < now->field_count(); ++i) CheckReserved(was, *now->field(i), changes);
  for (int i = 0; i < was.nested_type_count(); ++i) CompareMessages(*was.nested_type(i), now_pool, changes);
  for (int i = 0; i < was.enum_type_count(); ++i) CompareEnums(*was.enum_type(i), now_pool, changes);
}

void CompareServices(const ServiceDescriptor& was, const DescriptorPool& now_pool, std::vector<std::string>* changes) {
  const ServiceDescriptor* now = now_pool.FindServiceByName(was.full_name());
  if (now == nullptr) {
    changes->push_back(absl::StrCat("service ", was.full_name(), " is gone"));
    return;
  }
  for (int i = 0; i < was.method_count(); ++i) {
    const MethodDescriptor& method = *was.method(i);
    const MethodDescriptor* same = now->FindMethodByName(method.name());
    if (same == nullptr) {
      changes->push_back(absl::StrCat("method ", method.full_name(), " is gone"));
    } else if (TypeOf(*same) != TypeOf(method)) {
      changes->push_back(absl::StrCat(method.full_name(), " was ", TypeOf(method), " and is ", TypeOf(*same)));
    }
  }
}

}  // namespace

std::vector<std::string> BreakingChanges(const FileDescriptor& released, const DescriptorPool& now) {
  std::vector<std::string> changes;
  for (int i = 0; i < released.message_type_count(); ++i) CompareMessages(*released.message_type(i), now, &changes);
  for (int i = 0; i < released.enum_type_count(); ++i) CompareEnums(*released.enum_type(i), now, &changes);
  for (int i = 0; i < released.service_count(); ++i) CompareServices(*released.service(i), now, &changes);
  return changes;
}

}  // namespace kwta
