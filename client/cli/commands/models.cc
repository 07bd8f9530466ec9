// kwta models
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/commands/model_changes.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/table.h"
#include "core/encoders/encoder_registry.h"
#include "core/training/dead_units.h"

namespace kwta::client::cli {
namespace {

// Returns "ready" for MODEL_STATE_READY.
std::string ModelStateName(v1::ModelState state) {
  const std::string name = v1::ModelState_Name(state);
  return absl::AsciiStrToLower(name.substr(name.rfind('_') + 1));
}

void AddVersions(const v1::Model& model, absl::Time now, Table* table) {
  for (const v1::ModelVersion& version : model.versions()) {
    const v1::ModelDescription& description = version.description();
    const v1::TrainingStatistics& statistics = description.statistics();
    const bool tuned = description.has_fine_tuning();  // and its reconstructions were not measured again
    table->AddRow({model.name(), absl::StrCat(version.version()), ModelStateName(version.state()),
                   absl::StrJoin(version.labels(), ","), EncoderSummary(description.encoder()),
                   absl::StrCat(description.input_width()), absl::StrCat(description.code_width()),
                   tuned ? "-" : Decimals(statistics.fraction_variance_unexplained()),
                   tuned ? "-" : absl::StrCat(statistics.dead_units()), HumanBytes(version.parameter_bytes()),
                   description.has_created() ? HumanDuration(now - ToTime(description.created())) : "-"});
  }
}

// Warns of the version that serves. Others are history.
void WarnOfDeadUnits(const v1::Model& model) {
  for (const v1::ModelVersion& version : model.versions()) {
    const v1::ModelDescription& description = version.description();
    if (version.version() != model.serving_version() || description.has_fine_tuning()) continue;
    const std::string warning =
        DeadUnitsWarning(static_cast<int64_t>(description.statistics().dead_units()), UnitCount(description.encoder()),
                         description.encoder(), CouldSubtractMean(description.encoder(), description.preprocessing()));
    if (!warning.empty())
      std::cout << "\n" << model.name() << " version " << version.version() << ": " << warning << "\n";
  }
}

// Says where the versions in memory are encoded, if the server has a device.
void PrintPlacement(const v1::Model& model) {
  for (const v1::ModelVersion& version : model.versions()) {
    if (!version.has_placement()) continue;
    const v1::Placement& placement = version.placement();
    std::cout << "\n"
              << model.name() << " version " << version.version() << ": "
              << (placement.device().empty() ? "the processor" : placement.device())
              << " encodes: " << placement.reason() << "\n";
  }
}

absl::StatusOr<std::vector<v1::Model>> Fetch(Client& client, const std::string& name) {
  if (name.empty()) return client.ListModels();
  auto model = client.GetModel(name);
  if (!model.ok()) return model.status();
  return std::vector<v1::Model>{*std::move(model)};
}

ExitCode RunModels(const std::string& name, const GlobalOptions& global) {
  const auto models = Fetch(*Connect(global), name);
  if (!models.ok()) return ReportFailure(models.status(), global);
  if (global.json) {
    v1::ListModelsResponse response;
    response.mutable_models()->Add(models->begin(), models->end());
    std::cout << ToJson(response) << "\n";
    return kSuccess;
  }
  if (models->empty()) {
    std::cout << "no models; train one with 'kwta train'\n";
    return kSuccess;
  }
  using Align = Table::Align;
  Table table({{"MODEL"},
               {"VERSION", Align::kRight},
               {"STATE"},
               {"LABELS"},
               {"ENCODER"},
               {"INPUT", Align::kRight},
               {"UNITS", Align::kRight},
               {"UNEXPLAINED", Align::kRight},
               {"DEAD", Align::kRight},
               {"SIZE", Align::kRight},
               {"AGE", Align::kRight}});
  for (const v1::Model& model : *models) AddVersions(model, absl::Now(), &table);
  table.Print(std::cout);
  for (const v1::Model& model : *models) {
    for (const v1::ModelVersion& version : model.versions()) {
      if (!version.has_failure()) continue;
      std::cout << "\n"
                << model.name() << " version " << version.version() << ": " << version.failure().message() << "\n";
    }
  }
  for (const v1::Model& model : *models) PrintPlacement(model);
  for (const v1::Model& model : *models) WarnOfDeadUnits(model);
  for (const v1::Model& model : *models) {
    for (const std::string& problem : model.problems()) {
      std::cout << "\n" << model.name() << ", set aside: " << problem << "\n";
    }
  }
  return kSuccess;
}

}  // namespace

void AddModels(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("models", "List models and their versions, and say which are served");
  command->footer(
      "Examples:\n  kwta models\n  kwta models fashion --json | jq .models[0].versions[-1].description\n"
      "  kwta models label fashion stable --version 4\n'kwta models COMMAND --help' explains a command.");
  const auto name = std::make_shared<std::string>();
  command->add_option("model", *name, "Only this model")->type_name("MODEL");
  command->callback([=] {
    if (command->get_subcommands().empty()) {
      *action = [=](const GlobalOptions& global) { return RunModels(*name, global); };
    }
  });
  AddModelChanges(*command, action);
}

}  // namespace kwta::client::cli
