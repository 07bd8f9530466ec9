#include "client/cli/model_input.h"

#include "core/base/parse_number.h"

namespace kwta::client::cli {

bool ModelInput::named() const {
  return !input.empty() || data.reference.source_case() != v1::DatasetRef::SOURCE_NOT_SET;
}

absl::StatusOr<Dataset> ModelInput::Load() const { return input.empty() ? data.Load() : LoadFile(input); }

void AddModelInputOptions(CLI::App& app, const char* help, ModelInput* input) {
  app.add_option("--model", input->model, "Name of the model")->required();
  CLI::Option* version =
      app.add_option("--version", input->settings.version, "Version of the model; default: what label stable names")
          ->transform(NumberIn<uint64_t>::AtLeast(1).As<CLI::Validator>());
  app.add_option("--label", input->settings.label, "Label of the version, such as canary")->excludes(version);
  CLI::Option* file = app.add_option("--input", input->input, help)->check(CLI::ExistingFile)->type_name("FILE");
  AddLocalDatasetOptions(app, {"train", "validation", "test"}, &input->data);
  app.get_option("--data")->excludes(file)->description("Named data set instead of a file");
}

void RequireRows(const ModelInput& input) {
  if (!input.named()) throw CLI::RequiredError("--input or --data");
}

}  // namespace kwta::client::cli
