#include "client/cli/options/step_options.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/options/field_text.h"
#include "client/cli/options/spec_options.h"

namespace kwta::client::cli {
namespace {

std::string StepNames() {
  const auto* kinds = v1::PreprocessingStep::descriptor()->oneof_decl(0);
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(kinds->field_count()));
  for (int i = 0; i < kinds->field_count(); ++i) {
    names.push_back(absl::StrReplaceAll(kinds->field(i)->name(), {{"_", "-"}}));
  }
  return absl::StrJoin(names, ", ");
}

// What may stand behind --step of this kind: "crop[:FIELD=VALUE,...] with FIELD one of height, width".
std::string FieldsOf(const std::string& name, const google::protobuf::Descriptor& step) {
  std::vector<std::string> fields;
  fields.reserve(static_cast<size_t>(step.field_count()));
  for (int i = 0; i < step.field_count(); ++i) fields.push_back(step.field(i)->name());
  if (fields.empty()) return absl::StrCat(name, " alone");
  return absl::StrCat(name, "[:FIELD=VALUE,...] with FIELD one of ", absl::StrJoin(fields, ", "));
}

}  // namespace

v1::PreprocessingStep ParseStep(const std::string& text) {
  const auto refuse = [&text](const std::string& why, const std::string& expected) {
    return CLI::ValidationError("--step", absl::StrCat("'", text, "': ", why, "; expected ", expected));
  };
  const size_t colon = text.find(':');
  const std::string name = absl::StrReplaceAll(text.substr(0, colon), {{"-", "_"}});
  const google::protobuf::FieldDescriptor* kind = v1::PreprocessingStep::descriptor()->FindFieldByName(name);
  if (kind == nullptr) {
    throw refuse("there is no such step", absl::StrCat("NAME[:FIELD=VALUE,...] with NAME one of ", StepNames()));
  }
  v1::PreprocessingStep step;
  google::protobuf::Message* fields = step.GetReflection()->MutableMessage(&step, kind);
  if (colon == std::string::npos) return step;
  std::set<std::string> given;
  for (const std::string& pair : std::vector<std::string>(absl::StrSplit(text.substr(colon + 1), ','))) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    if (!given.insert(parts.first).second) throw refuse(absl::StrCat(parts.first, " is given twice"), "it once");
    const std::string field = absl::StrReplaceAll(parts.first, {{"-", "_"}});
    if (fields->GetDescriptor()->FindFieldByName(field) == nullptr) {
      throw refuse(absl::StrCat(text.substr(0, colon), " has no field '", parts.first, "'"),
                   FieldsOf(text.substr(0, colon), *fields->GetDescriptor()));
    }
    const absl::Status set = SetField(parts.first, parts.second, fields);
    if (!set.ok()) throw refuse(std::string(set.message()), FieldsOf(text.substr(0, colon), *fields->GetDescriptor()));
  }
  return step;
}

void AddStepOptions(CLI::App& app, const char* group, v1::PreprocessingSpec* spec) {
  app.add_option_function<std::vector<std::string>>(
         "--step",
         [spec](const std::vector<std::string>& steps) {
           for (const std::string& step : steps) *spec->add_steps() = ParseStep(step);
         },
         absl::StrCat(
             "A step of preprocessing, such as crop:height=64,width=64; repeat for more, in order. NAME is one of ",
             StepNames()))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("NAME[:FIELD=VALUE,...]")
      ->group(group);
  AddFieldOptions(
      app, group,
      {{"--row-shape", "input", "What image a row of the data is before the steps, if the data do not say"}}, *spec,
      spec);
}

}  // namespace kwta::client::cli
