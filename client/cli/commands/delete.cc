// kwta delete
#include <iostream>

#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {
namespace {

struct DeleteOptions {
  std::string model;
  uint64_t version = 0;
};

ExitCode RunDelete(const DeleteOptions& options, const GlobalOptions& global) {
  const auto versions = Connect(global)->DeleteModel(options.model, options.version);
  if (!versions.ok()) return ReportFailure(versions.status(), global);
  if (global.json) {
    v1::DeleteModelResponse response;
    response.mutable_versions()->Add(versions->begin(), versions->end());
    std::cout << ToJson(response) << "\n";
  } else {
    std::cout << "model '" << options.model << "': deleted version" << (versions->size() == 1 ? " " : "s ")
              << absl::StrJoin(*versions, ", ") << "\n";
  }
  return kSuccess;
}

}  // namespace

void AddDelete(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("delete", "Delete a model, or one version of it");
  command->footer("Examples:\n  kwta delete fashion --version 3\n  kwta delete fashion");
  const auto options = std::make_shared<DeleteOptions>();
  command->add_option("model", options->model, "Name of the model")->required()->type_name("MODEL");
  command->add_option("--version", options->version, "Version to delete, at least 1; default: all of them")
      ->transform(NumberIn<uint64_t>::AtLeast(1).As<CLI::Validator>());
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunDelete(*options, global); }; });
}

}  // namespace kwta::client::cli
