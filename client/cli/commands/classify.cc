// kwta classify
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/json.h"
#include "client/cli/model_input.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"
#include "core/base/status_macros.h"
#include "core/evaluation/stored_classifier.h"
#include "core/files/files.h"
#include "core/io/arrays/npy.h"

namespace kwta::client::cli {
namespace {

constexpr char kClassifyFooter[] =
    R"(Only models that were fine-tuned have a classifier ('kwta train --fine-tune'). Without --output the class of each row
is printed, a number a line; with it a .npy of int32 [rows] is written. Of data with labels the error is said, too.
Examples:
  kwta classify --model tuned --data fashion-mnist --split test --output classes.npy
  kwta classify --model tuned --data fashion-mnist --split test --max-rows 10)";

struct ClassifyCommand {
  ModelInput rows;
  std::string output;
};

struct Classified {
  std::vector<int32_t> classes;
  uint64_t version = 0;
  std::optional<double> error;  // fraction of the labelled rows that are wrong
};

absl::StatusOr<Classified> ClassifyAll(Client& client, const ClassifyCommand& command, StageProgress* progress) {
  progress->Start("reading");
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, command.rows.Load());
  const RowSource source = SourceOf(dataset);
  // Send one row first. It tells which version answers; that version may have no classifier.
  EncodeSettings settings = command.rows.settings;
  KWTA_ASSIGN_OR_RETURN(const EncodeResult one, client.Encode(command.rows.model, source.read(0, 1), settings));
  settings.version = one.model_version;
  settings.label.clear();
  KWTA_ASSIGN_OR_RETURN(client::Classifier received, client.GetClassifier(command.rows.model, settings.version));
  KWTA_ASSIGN_OR_RETURN(const StoredClassifier classifier,
                        StoredClassifier::Create(std::move(received.weights), std::move(received.bias)));
  progress->Start(absl::StrCat("encoding with '", command.rows.model, "'"));
  KWTA_ASSIGN_OR_RETURN(const EncodedRows encoded,
                        EncodeAll(client, command.rows.model, source, settings, [&](int64_t done) {
                          progress->Update(static_cast<double>(done) / static_cast<double>(source.rows));
                        }));
  const EncodeResult& codes = encoded.codes;
  Classified result;
  result.version = codes.model_version;
  result.classes = classifier.Classify(*FeaturesOf(codes));
  if (!dataset.labelled()) return result;
  int64_t wrong = 0;
  for (int64_t i = 0; i < dataset.rows(); ++i) wrong += result.classes[static_cast<size_t>(i)] != dataset.label(i);
  result.error = static_cast<double>(wrong) / static_cast<double>(dataset.rows());
  return result;
}

void PrintClassesJson(const ClassifyCommand& command, const Classified& result) {
  nlohmann::json json = {{"model", command.rows.model}, {"version", result.version}, {"rows", result.classes.size()}};
  if (command.output.empty()) {
    json["classes"] = result.classes;
  } else {
    json["output"] = command.output;
  }
  if (result.error) json["error"] = *result.error;
  std::cout << ToJson(json) << "\n";
}

void PrintClasses(const ClassifyCommand& command, const Classified& result) {
  if (command.output.empty()) {
    for (const int32_t each : result.classes) std::cout << each << "\n";
    return;
  }
  std::cout << command.output << ": classes of " << HumanCount(result.classes.size()) << " rows (model '"
            << command.rows.model << "' version " << result.version << ")";
  if (result.error) std::cout << ", " << Percent(*result.error) << " of them wrong";
  std::cout << "\n";
}

ExitCode RunClassify(const ClassifyCommand& command, const GlobalOptions& global) {
  if (!command.output.empty()) {
    if (!absl::EndsWith(command.output, ".npy")) {
      return ReportUsage(absl::StrCat("'", command.output, "' does not end in .npy, which is what is written"), global);
    }
    const absl::Status writable = CheckCanWrite(command.output);
    if (!writable.ok()) return ReportFailure(writable, global);
  }
  StageProgress progress(StageProgress::Elsewhere::kNothing);
  const auto result = ClassifyAll(*Connect(global), command, &progress);
  progress.Finish();
  if (!result.ok()) return ReportFailure(result.status(), global);
  if (!command.output.empty()) {
    const auto rows = static_cast<int64_t>(result->classes.size());
    const absl::Status written = WriteNpy(command.output, {DType::kI32, {rows}, result->classes.data()});
    if (!written.ok()) return ReportFailure(written, global);
  }
  global.json ? PrintClassesJson(command, *result) : PrintClasses(command, *result);
  return kSuccess;
}

}  // namespace

void AddClassify(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("classify", "Say which class each row is of, with a fine-tuned model");
  command->footer(kClassifyFooter);
  const auto options = std::make_shared<ClassifyCommand>();
  AddModelInputOptions(*command, "File to classify (.npy, .idx or .idx.gz)", &options->rows);
  AddSparsityOptions(*command, &options->rows.settings.options);
  command->add_option("--output", options->output, "File to write (.npy) instead of printing")->type_name("FILE");
  command->callback([=] {
    RequireRows(options->rows);
    *action = [=](const GlobalOptions& global) { return RunClassify(*options, global); };
  });
}

}  // namespace kwta::client::cli
