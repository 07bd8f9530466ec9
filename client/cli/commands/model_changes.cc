#include "client/cli/commands/model_changes.h"

#include <iostream>

#include "absl/strings/str_join.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {
namespace {

struct Change {
  std::string model;
  std::string label;
  uint64_t version = 0;
  bool flag = false;  // --reload, --remove
};
using Do = ExitCode (*)(const Change&, const GlobalOptions&);

ExitCode Load(const Change& change, const GlobalOptions& global) {
  const auto version = Connect(global)->LoadModel(change.model, change.version, change.flag);
  if (!version.ok()) return ReportFailure(version.status(), global);
  if (global.json) {
    v1::LoadModelResponse response;
    *response.mutable_version() = *version;
    std::cout << ToJson(response) << "\n";
  } else {
    std::cout << "model '" << change.model << "': version " << version->version() << " is ready\n";
  }
  return kSuccess;
}

ExitCode Unload(const Change& change, const GlobalOptions& global) {
  const auto versions = Connect(global)->UnloadModel(change.model, change.version);
  if (!versions.ok()) return ReportFailure(versions.status(), global);
  if (global.json) {
    v1::UnloadModelResponse response;
    response.mutable_versions()->Add(versions->begin(), versions->end());
    std::cout << ToJson(response) << "\n";
  } else {
    std::cout << "model '" << change.model << "': unloaded version" << (versions->size() == 1 ? " " : "s ")
              << absl::StrJoin(*versions, ", ") << "\n";
  }
  return kSuccess;
}

ExitCode ReportModel(const absl::StatusOr<v1::Model>& model, const GlobalOptions& global) {
  if (!model.ok()) return ReportFailure(model.status(), global);
  if (global.json) {
    v1::GetModelResponse response;
    *response.mutable_model() = *model;
    std::cout << ToJson(response) << "\n";
    return kSuccess;
  }
  for (const v1::ModelVersion& version : model->versions()) {
    if (version.labels().empty()) continue;
    std::cout << "model '" << model->name() << "': version " << version.version() << " is "
              << absl::StrJoin(version.labels(), ", ") << "\n";
  }
  return kSuccess;
}

ExitCode Label(const Change& change, const GlobalOptions& global) {
  if (change.flag == (change.version != 0)) return ReportUsage("give either --version or --remove", global);
  return ReportModel(Connect(global)->SetModelLabel(change.model, change.label, change.version), global);
}

ExitCode RollBack(const Change& change, const GlobalOptions& global) {
  return ReportModel(Connect(global)->RollBackModel(change.model), global);
}

}  // namespace

void AddModelChanges(CLI::App& models, Action* action) {
  const auto add = [&](const char* name, const char* help, const char* examples, Do what, const auto& options) {
    CLI::App* command = models.add_subcommand(name, help);
    command->footer(examples);
    const auto change = std::make_shared<Change>();
    command->add_option("model", change->model, "Name of the model")->required()->type_name("MODEL");
    options(*command, *change);
    command->callback([=] { *action = [=](const GlobalOptions& global) { return what(*change, global); }; });
  };
  const auto version = [](CLI::App& command, Change& change, const char* help) {
    command.add_option("--version", change.version, help)
        ->transform(NumberIn<uint64_t>::AtLeast(1).As<CLI::Validator>());
  };
  add("load", "Load a version, which another program may have put into the server's directory of models",
      "Examples:\n  kwta models load fashion\n  kwta models load fashion --version 3 --reload", Load,
      [&](CLI::App& command, Change& change) {
        version(command, change, "Version to load; default: the newest on disk");
        command.add_flag("--reload", change.flag, "Read it again even if it is in memory");
      });
  add("unload", "Take a version out of use until it is loaded or the server restarts",
      "Examples:\n  kwta models unload fashion --version 3\n  kwta models unload fashion", Unload,
      [&](CLI::App& command, Change& change) { version(command, change, "Version to unload; default: all of them"); });
  add("label", "Make a label name a version; calls that name neither version nor label get the one that is stable",
      "Examples:\n  kwta models label fashion stable --version 4\n      version 4 is served, whatever is published\n"
      "  kwta models label fashion stable --remove\n      the newest version is served again\n"
      "  kwta models label fashion canary --version 5",
      Label, [&](CLI::App& command, Change& change) {
        command.add_option("label", change.label, "Name of the label")->required()->type_name("LABEL");
        version(command, change, "Version that it names from now on");
        command.add_flag("--remove", change.flag, "Take the label away");
      });
  add("rollback", "Serve the version that was served before", "Examples:\n  kwta models rollback fashion", RollBack,
      [](CLI::App&, Change&) {});
}

}  // namespace kwta::client::cli
