// kwta evaluate
#include <iostream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/evaluation.h"
#include "client/cli/json.h"
#include "client/cli/model_input.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/table.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"

namespace kwta::client::cli {
namespace {

constexpr char kEvaluateFooter[] =
    R"(A linear probe is trained on the codes of the training images, and one on their raw pixels; regularisation and epochs
are chosen on a part of the training images. A model that was fine-tuned is judged by its own classifier, too.
Choose a model's own hyperparameters with --split validation, never on test.
Fraction of variance unexplained is sum |x - xhat|^2 / sum |x - mean|^2; a unit is dead if it is in no code.
Activities of sigmoid and softplus count from 0.1 on.
Examples:
  kwta evaluate --model fashion --data fashion-mnist --alpha 3
  kwta evaluate --model fashion --version 3 --data fashion-mnist --classifier svm --no-pixels
  kwta evaluate --model fashion --data fashion-mnist --split validation --validation-rows 10000 --no-pixels --json)";

bool OnTest(const EvaluationOptions& options) { return options.data.reference.split() == v1::DATASET_SPLIT_TEST; }

// True if training keeps fewer activities than encoding.
bool HasWinners(const EvaluationReport& report) {
  const v1::EncoderSpec& encoder = report.model.description().encoder();
  return LayerSpec(encoder, LayerCount(encoder) - 1).has_winner_take_all();
}

std::string Sparsity(const v1::EncodeOptions& options, const EvaluationReport& report) {
  if (!report.takes_k) return HasWinners(report) ? "sparsity off" : "every activity";
  if (options.has_k()) return absl::StrCat("k ", options.k());
  return options.has_alpha() ? absl::StrCat("alpha ", options.alpha()) : "the model's alpha";
}

void PrintEvaluation(const EvaluationOptions& options, const EvaluationReport& report) {
  using Align = Table::Align;
  const v1::ModelDescription& description = report.model.description();
  const std::string part = OnTest(options) ? "test" : "validation";
  const std::string units = HumanCount(description.code_width());
  const std::string sparsity = Sparsity(options.settings.options, report);
  // Show alpha 1 beside the requested sparsity, unless that is alpha 1.
  const bool alpha_1_apart = sparsity != "alpha 1" && report.takes_k;
  std::cout << "model '" << options.model << "' version " << report.model.version() << " ("
            << EncoderKindName(description.encoder()) << ", " << units << " units), encoding with " << sparsity << "\n"
            << HumanCount(report.training_rows) << " training images, " << HumanCount(report.evaluation_rows) << " "
            << part << " images\n\n";
  Table table({{""}, {"codes", Align::kRight}, {report.pixels ? "raw pixels" : "", Align::kRight}});
  const auto pixels = [&](double ProbeResult::*rate) { return report.pixels ? Percent((*report.pixels).*rate) : ""; };
  if (report.own_classifier_error) {
    table.AddRow({part + " error of the model's own classifier", Percent(*report.own_classifier_error), ""});
  }
  table.AddRow({part + (report.own_classifier_error ? " error of the probe" : " error"), Percent(report.codes.error),
                pixels(&ProbeResult::error)});
  table.AddRow({"error where the probe was chosen", Percent(report.codes.validation_error),
                pixels(&ProbeResult::validation_error)});
  const auto add_unexplained = [&](const std::string& at, std::optional<double> fraction) {
    if (!fraction) return;
    table.AddRow({"fraction of variance unexplained, " + at, Decimals(*fraction), ""});
  };
  add_unexplained(HasWinners(report) ? "the winners of training" : sparsity, report.fraction_variance_unexplained);
  if (alpha_1_apart) add_unexplained("alpha 1", report.fraction_variance_unexplained_alpha_1);
  table.AddRow({"L0, " + sparsity, absl::StrFormat("%.1f", report.l0), ""});
  table.AddRow({absl::StrCat("average activation fraction over ", HumanCount(report.training_rows), " training images"),
                Decimals(report.activation_fraction), ""});
  const v1::TrainingStatistics& training = description.statistics();
  if (training.has_mean_pre_activation()) {
    const std::string window =
        absl::StrCat(" over the last ", HumanCount(training.activity_window_rows()), " rows of training");
    table.AddRow({"mean pre-activation" + window, Decimals(training.mean_pre_activation()), ""});
    table.AddRow({"variance of pre-activations" + window, Decimals(training.pre_activation_variance()), ""});
  }
  const auto add_dead = [&](const std::string& at, int64_t count) {
    const std::string share = Percent(static_cast<double>(count) / description.code_width());
    table.AddRow({absl::StrCat("dead units over ", HumanCount(report.training_rows), " training images, ", at),
                  absl::StrFormat("%d (%s)", count, share), ""});
  };
  add_dead(sparsity, report.dead_units);
  if (alpha_1_apart) add_dead("alpha 1", *report.dead_units_alpha_1);
  table.AddRow({"training images/s", HumanRate(description.statistics().images_per_second()), ""});
  table.AddRow({"encode rows/s over the wire", HumanRate(report.encode_rows_per_second), ""});
  table.Print(std::cout);
  if (!report.http_address.empty()) {
    std::cout << "\nmetrics: " << (report.http_tls ? "https://" : "http://") << report.http_address << "/metrics\n";
  }
}

nlohmann::json ProbeJson(const ProbeResult& probe) {
  return {
      {"error", probe.error}, {"validation_error", probe.validation_error}, {"l2", probe.l2}, {"epochs", probe.epochs}};
}

nlohmann::json EvaluationJson(const EvaluationOptions& options, const EvaluationReport& report) {
  const v1::ModelDescription& description = report.model.description();
  nlohmann::json json = {{"model", options.model},
                         {"version", report.model.version()},
                         {"split", OnTest(options) ? "test" : "validation"},
                         {"training_rows", report.training_rows},
                         {"evaluation_rows", report.evaluation_rows},
                         {"classifier", options.classifier == ProbeLoss::kSoftmax ? "softmax" : "svm"},
                         {"codes", ProbeJson(report.codes)},
                         {"l0", report.l0},
                         {"activation_fraction", report.activation_fraction},
                         {"units", description.code_width()},
                         {"dead_units", report.dead_units},
                         {"dead_window_rows", report.training_rows},
                         {"training_images_per_second", description.statistics().images_per_second()},
                         {"encode_rows_per_second", report.encode_rows_per_second},
                         {"http_address", report.http_address}};
  const auto add_if_known = [&json](const char* name, std::optional<double> value) {
    if (value) json[name] = *value;
  };
  add_if_known("fraction_variance_unexplained", report.fraction_variance_unexplained);
  add_if_known("fraction_variance_unexplained_alpha_1", report.fraction_variance_unexplained_alpha_1);
  const v1::TrainingStatistics& training = description.statistics();
  if (training.has_mean_pre_activation()) {
    json["training_activation_fraction"] = training.activation_fraction();
    json["mean_pre_activation"] = training.mean_pre_activation();
    json["pre_activation_variance"] = training.pre_activation_variance();
    json["activity_window_rows"] = training.activity_window_rows();
  }
  if (report.takes_k) {
    json["dead_units_alpha_1"] = *report.dead_units_alpha_1;
  }
  add_if_known("own_classifier_error", report.own_classifier_error);
  if (report.pixels) json["raw_pixels"] = ProbeJson(*report.pixels);
  return json;
}

ExitCode RunEvaluate(const EvaluationOptions& options, const GlobalOptions& global) {
  const auto client = Connect(global);
  absl::StatusOr<EvaluationReport> report;
  {
    StageProgress progress;
    report = Evaluate(*client, options, progress);
  }
  if (!report.ok()) return ReportFailure(report.status(), global);
  if (global.json) {
    std::cout << ToJson(EvaluationJson(options, *report)) << "\n";
  } else {
    PrintEvaluation(options, *report);
  }
  return kSuccess;
}

}  // namespace

void AddEvaluate(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("evaluate", "Measure how good a model's codes are");
  command->footer(kEvaluateFooter);
  const auto options = std::make_shared<EvaluationOptions>();
  options->data.reference.set_split(v1::DATASET_SPLIT_TEST);
  AddModelOptions(*command, &options->model, &options->settings);
  AddLocalDatasetOptions(*command, {"validation", "test"}, &options->data);
  command->get_option("--data")->required();
  command->get_option("--split")->description("Part to evaluate on; default test");
  AddSparsityOptions(*command, &options->settings.options);
  const std::map<std::string, ProbeLoss> classifiers = {{"softmax", ProbeLoss::kSoftmax},
                                                        {"svm", ProbeLoss::kSquaredHinge}};
  command
      ->add_option_function<std::string>(
          "--classifier", [=](const std::string& name) { options->classifier = classifiers.at(name); },
          "Softmax regression, or a linear support vector machine (squared hinge loss); default softmax")
      ->check(CLI::IsMember(classifiers));
  command->add_flag("!--no-pixels", options->pixels, "Skip the comparison with raw pixels");
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunEvaluate(*options, global); }; });
}

}  // namespace kwta::client::cli
