#include "client/cli/options/spec_options.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "core/base/parse_number.h"
#include "core/io/datasets/dataset.h"

namespace kwta::client::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kDataGroup[] = "Data";

std::string ValueText(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(reflection->GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "on" : "off";
    case FieldDescriptor::CPPTYPE_ENUM:
      return ValueName(*reflection->GetEnum(message, field));
    default:
      return "";
  }
}

// Returns the names of the values that users can choose: all but the first, which means unspecified.
std::vector<std::string> ValueNames(const EnumDescriptor& values) {
  std::vector<std::string> names;
  for (int i = 1; i < values.value_count(); ++i) names.push_back(ValueName(*values.value(i)));
  return names;
}

// "CHANNELS,HEIGHT,WIDTH".
std::string FieldNames(const Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(absl::AsciiStrToUpper(message.field(i)->name()));
  return absl::StrJoin(names, ",");
}

// A field that an option sets. An option may set several.
struct Target {
  Message* message;
  const FieldDescriptor* field;

  const Reflection& reflection() const { return *message->GetReflection(); }
};
using Targets = std::vector<Target>;

// Throws if the user has set another field of the same oneof: the later option would silently undo the earlier one.
void RefuseSecondOfOneof(const char* flag, const Targets& targets) {
  for (const Target& to : targets) {
    const google::protobuf::OneofDescriptor* oneof = to.field->real_containing_oneof();
    if (oneof == nullptr) continue;
    const FieldDescriptor* set = to.reflection().GetOneofFieldDescriptor(*to.message, oneof);
    if (set == nullptr || set == to.field) continue;
    throw CLI::ValidationError(flag, absl::StrCat("and --", absl::StrReplaceAll(set->name(), {{"_", "-"}}),
                                                  " are both given; choose one of them"));
  }
}

CLI::Option* AddEnumOption(CLI::App& app, const char* flag, const std::string& help, const Targets& targets) {
  const EnumDescriptor* values = targets.front().field->enum_type();
  const std::vector<std::string> names = ValueNames(*values);
  const auto set = [flag, values, names, targets](const std::string& name) {
    RefuseSecondOfOneof(flag, targets);
    const auto index = std::find(names.begin(), names.end(), name) - names.begin();
    for (const Target& to : targets) {
      to.reflection().SetEnum(to.message, to.field, values->value(static_cast<int>(index) + 1));
    }
  };
  return app.add_option_function<std::string>(flag, set, help)->check(CLI::IsMember(names));
}

CLI::Option* AddMessageOption(CLI::App& app, const char* flag, const std::string& help, const Targets& targets) {
  const Descriptor* numbers = targets.front().field->message_type();
  const auto set = [flag, numbers, targets](const std::vector<uint32_t>& values) {
    RefuseSecondOfOneof(flag, targets);
    for (const Target& to : targets) {
      Message* message = to.reflection().MutableMessage(to.message, to.field);
      for (int i = 0; i < numbers->field_count(); ++i) {
        message->GetReflection()->SetUInt32(message, numbers->field(i), values[i]);
      }
    }
  };
  return app.add_option_function<std::vector<uint32_t>>(flag, set, help)
      ->delimiter(',')
      ->transform(NumberIn<uint32_t>::Any().As<CLI::Validator>())
      ->expected(numbers->field_count())
      ->type_name(FieldNames(*numbers));
}

template <typename T>
CLI::Option* AddNumberOption(CLI::App& app, const char* flag, const std::string& help, const Targets& targets,
                             void (Reflection::*set)(Message*, const FieldDescriptor*, T) const) {
  const auto set_all = [=](T value) {
    RefuseSecondOfOneof(flag, targets);
    for (const Target& to : targets) (to.reflection().*set)(to.message, to.field, value);
  };
  return app.add_option_function<T>(flag, set_all, help)->transform(NumberIn<T>::Any().template As<CLI::Validator>());
}

CLI::Option* AddFlag(CLI::App& app, const char* flag, const std::string& help, const Targets& targets) {
  return app.add_flag_function(
      absl::StrCat(flag, ",!--no-", flag + 2),
      [flag, targets](int64_t count) {
        RefuseSecondOfOneof(flag, targets);
        for (const Target& to : targets) to.reflection().SetBool(to.message, to.field, count > 0);
      },
      help);
}

CLI::Option* AddOption(CLI::App& app, const char* flag, const std::string& help, const Targets& targets) {
  switch (targets.front().field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return AddNumberOption<uint32_t>(app, flag, help, targets, &Reflection::SetUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AddNumberOption<uint64_t>(app, flag, help, targets, &Reflection::SetUInt64);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AddNumberOption<float>(app, flag, help, targets, &Reflection::SetFloat);
    case FieldDescriptor::CPPTYPE_ENUM:
      return AddEnumOption(app, flag, help, targets);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AddMessageOption(app, flag, help, targets);
    default:
      return AddFlag(app, flag, help, targets);
  }
}

}  // namespace

std::string ValueName(const google::protobuf::EnumValueDescriptor& value) {
  const absl::string_view prefix = absl::StripSuffix(value.type()->value(0)->name(), "UNSPECIFIED");
  return absl::AsciiStrToLower(absl::StrReplaceAll(absl::StripPrefix(value.name(), prefix), {{"_", "-"}}));
}

std::string DefaultText(const SpecOption& option, const Message& defaults) {
  if (option.default_text != nullptr) return option.default_text;
  return ValueText(defaults, defaults.GetDescriptor()->FindFieldByName(option.field));
}

void AddFieldOption(CLI::App& app, const std::string& group, const SpecOption& option, const std::string& default_text,
                    const std::vector<Message*>& messages) {
  const std::string help = absl::StrCat(option.help, default_text.empty() ? "" : "; default ", default_text);
  Targets targets;
  for (Message* message : messages)
    targets.push_back({message, message->GetDescriptor()->FindFieldByName(option.field)});
  AddOption(app, option.flag, help, targets)->group(group);
}

void AddFieldOptions(CLI::App& app, const std::string& group, absl::Span<const SpecOption> options,
                     const Message& defaults, Message* message) {
  for (const SpecOption& option : options) {
    AddFieldOption(app, group, option, DefaultText(option, defaults), {message});
  }
}

void AddDatasetOptions(CLI::App& app, v1::DatasetRef* dataset) {
  app.add_option_function<std::string>(
         "--data", [dataset](const std::string& text) { SetDatasetSource(text, dataset); },
         "A named data set such as fashion-mnist, a file (.npy, .idx, .idx.gz, .bin, ...), or a folder, with a slash "
         "in it")
      ->type_name("NAME|PATH")
      ->group(kDataGroup);
  const v1::DatasetRef zeros;
  AddFieldOptions(
      app, kDataGroup,
      {{"--validation-rows", "validation_rows", "Training rows held out for validation, drawn by split-seed"},
       {"--split-seed", "split_seed", "Seed of the permutation that draws the validation rows"},
       {"--max-rows", "max_rows", "Use only so many rows of a part", "all"}},
      zeros, dataset);
}

void AddSplitOption(CLI::App& app, const std::vector<std::string>& splits, v1::DatasetRef* dataset) {
  app.add_option_function<std::string>(
         "--split",
         [dataset](const std::string& name) {
           dataset->set_split(name == "train"        ? v1::DATASET_SPLIT_TRAIN
                              : name == "validation" ? v1::DATASET_SPLIT_VALIDATION
                                                     : v1::DATASET_SPLIT_TEST);
         },
         "Part of the data set")
      ->check(CLI::IsMember(splits))
      ->group(kDataGroup);
}

void SetDatasetSource(const std::string& text, v1::DatasetRef* dataset) {
  const bool path = absl::StrContains(text, '/') || HasDatasetFileEnding(text);
  if (path) {
    dataset->set_path(text);
  } else {
    dataset->set_name(text);
  }
}

}  // namespace kwta::client::cli
