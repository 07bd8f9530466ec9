#include "client/cli/spec_options.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/parse_number.h"
#include "core/io/datasets/dataset.h"
#include "google/protobuf/descriptor.h"

namespace kwta::client::cli {
namespace {

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
    default:
      return "";
  }
}

CLI::Option* AddOption(CLI::App& app, const std::string& flag, const std::string& help, const FieldDescriptor* field,
                       Message* message) {
  const Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return app
          .add_option_function<uint32_t>(
              flag, [=](uint32_t value) { reflection->SetUInt32(message, field, value); }, help)
          ->transform(NumberIn<uint32_t>::Any().As<CLI::Validator>());
    case FieldDescriptor::CPPTYPE_UINT64:
      return app
          .add_option_function<uint64_t>(
              flag, [=](uint64_t value) { reflection->SetUInt64(message, field, value); }, help)
          ->transform(NumberIn<uint64_t>::Any().As<CLI::Validator>());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return app
          .add_option_function<float>(
              flag, [=](float value) { reflection->SetFloat(message, field, value); }, help)
          ->transform(NumberIn<float>::Any().As<CLI::Validator>());
    default:
      return app.add_flag_function(
          absl::StrCat(flag, ",!--no-", flag.substr(2)),
          [=](int64_t count) { reflection->SetBool(message, field, count > 0); }, help);
  }
}

}  // namespace

void AddFieldOptions(CLI::App& app, const char* group, const std::vector<FieldOption>& options, const Message& defaults,
                     Message* message) {
  for (const FieldOption& option : options) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(option.field);
    const std::string value = option.default_text != nullptr ? option.default_text : ValueText(defaults, field);
    AddOption(app, option.flag, absl::StrCat(option.help, "; default ", value), field, message)->group(group);
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
