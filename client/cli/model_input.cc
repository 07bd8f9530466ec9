#include "client/cli/model_input.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {

void AddModelOptions(CLI::App& app, std::string* model, EncodeSettings* settings) {
  app.add_option("--model", *model, "Name of the model")->required();
  CLI::Option* version =
      app.add_option("--version", settings->version, "Version of the model; default: what label stable names")
          ->transform(NumberIn<uint64_t>::AtLeast(1).As<CLI::Validator>());
  app.add_option("--label", settings->label, "Label of the version, such as canary")->excludes(version);
}

absl::StatusOr<v1::ModelVersion> ChosenVersion(const v1::Model& model, const EncodeSettings& settings) {
  const uint64_t number = settings.version != 0 ? settings.version : model.serving_version();
  for (const v1::ModelVersion& version : model.versions()) {
    const bool chosen = settings.label.empty() ? version.version() == number
                                               : std::find(version.labels().begin(), version.labels().end(),
                                                           settings.label) != version.labels().end();
    if (chosen) return version;
  }
  if (!settings.label.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no version of model '", model.name(), "' has label '", settings.label, "'"));
  }
  if (settings.version == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no version of model '", model.name(), "' can serve; 'kwta models ", model.name(), "' says why"));
  }
  return absl::NotFoundError(
      absl::StrCat("model '", model.name(), "' has no version ", settings.version, "; there are ",
                   absl::StrJoin(model.versions(), ", ", [](std::string* out, const v1::ModelVersion& version) {
                     absl::StrAppend(out, version.version());
                   })));
}

bool ModelInput::named() const {
  return !input.empty() || data.reference.source_case() != v1::DatasetRef::SOURCE_NOT_SET;
}

absl::StatusOr<Dataset> ModelInput::Load() const { return input.empty() ? data.Load() : LoadFile(input); }

void AddModelInputOptions(CLI::App& app, const char* help, ModelInput* input) {
  AddModelOptions(app, &input->model, &input->settings);
  CLI::Option* file = app.add_option("--input", input->input, help)->check(CLI::ExistingFile)->type_name("FILE");
  AddLocalDatasetOptions(app, {"train", "validation", "test"}, &input->data);
  app.get_option("--data")->excludes(file)->description("Named data set instead of a file");
}

void RequireRows(const ModelInput& input) {
  if (!input.named()) throw CLI::RequiredError("--input or --data");
}

}  // namespace kwta::client::cli
