// kwta encode
#include <iostream>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/codes_file.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/json.h"
#include "client/cli/model_input.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"
#include "core/base/parse_number.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

constexpr char kEncodeFooter[] =
    R"(Arrays in the output (.npz or .safetensors); without --mode it is what the model's codes are:
  --mode topk   indices [rows, k] int32 and values [rows, k] float32; k-sparse models
  --mode csr    a matrix that scipy.sparse.load_npz reads; regularised and dropout models of ReLU
  --mode dense  codes [rows, units] float32; all others
Rows of bytes are sent as they are; the model knows what it divides them by.
Examples:
  kwta encode --model fashion --input batch.npy --output codes.npz
  kwta encode --model fashion --data fashion-mnist --split test --alpha 3 --mode csr --output test.npz)";

struct EncodeCommand {
  ModelInput rows;
  std::string output;
};

absl::StatusOr<EncodedRows> EncodeInput(Client& client, const EncodeCommand& command, StageProgress* progress) {
  progress->Start("reading");
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, command.rows.Load());
  progress->Start(absl::StrCat("encoding with '", command.rows.model, "'"));
  absl::StatusOr<EncodedRows> encoded = EncodeAll(
      client, command.rows.model, SourceOf(dataset), command.rows.settings,
      [&](int64_t done) { progress->Update(static_cast<double>(done) / static_cast<double>(dataset.rows())); });
  KWTA_RETURN_IF_ERROR(dataset.CheckUnchanged());
  if (!absl::IsResourceExhausted(encoded.status())) return encoded;
  return absl::ResourceExhaustedError(
      absl::StrCat(encoded.status().message(),
                   "; if a message was too large or the queue was full, a smaller --rows-per-request helps"));
}

ExitCode RunEncode(const EncodeCommand& command, const GlobalOptions& global) {
  const absl::Status output_path = ValidateCodesPath(command.output);
  if (!output_path.ok()) return ReportUsage(std::string(output_path.message()), global);
  const absl::Status writable = CheckCanWrite(command.output);
  if (!writable.ok()) return ReportFailure(writable, global);
  StageProgress progress(StageProgress::Elsewhere::kNothing);
  const auto encoded = EncodeInput(*Connect(global), command, &progress);
  progress.Finish();
  if (!encoded.ok()) return ReportFailure(encoded.status(), global);
  const EncodeResult& codes = encoded->codes;
  const auto* sparse = std::get_if<SparseCodes>(&codes.codes);
  v1::OutputMode mode = command.rows.settings.options.output();
  if (mode == v1::OUTPUT_MODE_UNSPECIFIED) {
    mode = sparse == nullptr ? v1::OUTPUT_MODE_DENSE
           : codes.rows_of_k ? v1::OUTPUT_MODE_SPARSE_TOPK
                             : v1::OUTPUT_MODE_SPARSE_CSR;
  }
  const absl::Status written = WriteCodes(command.output, command.rows.model, mode, codes);
  if (!written.ok()) return ReportFailure(written, global);

  const double rate = static_cast<double>(codes.rows()) / encoded->seconds;
  const int64_t k = sparse != nullptr ? sparse->RectangularWidth() : -1;  // -1: dense, or rows of different lengths
  if (global.json) {
    nlohmann::json json = {{"model", command.rows.model}, {"version", codes.model_version}, {"rows", codes.rows()},
                           {"requests", codes.requests},  {"seconds", encoded->seconds},    {"rows_per_second", rate},
                           {"output", command.output}};
    if (k >= 0) json["k"] = k;
    std::cout << ToJson(json) << "\n";
    return kSuccess;
  }
  std::cout << command.output << ": " << HumanCount(codes.rows()) << " rows, ";
  if (k >= 0) {
    std::cout << "k " << k << " of " << sparse->units << " units, ";
  } else if (sparse != nullptr) {
    const double l0 = static_cast<double>(sparse->entries()) / static_cast<double>(sparse->rows());
    std::cout << absl::StrFormat("L0 %.1f of %d units, ", l0, sparse->units);
  } else {
    std::cout << codes.dense().shape()[1] << " units, ";
  }
  std::cout << absl::StrFormat("%.2f s, %s rows/s (model '%s' version %d)\n", encoded->seconds, HumanRate(rate),
                               command.rows.model, codes.model_version);
  return kSuccess;
}

}  // namespace

void AddEncode(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("encode", "Encode rows with a model");
  command->footer(kEncodeFooter);
  const auto options = std::make_shared<EncodeCommand>();
  EncodeSettings& settings = options->rows.settings;
  AddModelInputOptions(*command, "File to encode (.npy, .idx or .idx.gz)", &options->rows);
  AddSparsityOptions(*command, &settings.options);
  const std::map<std::string, v1::OutputMode> modes = {
      {"topk", v1::OUTPUT_MODE_SPARSE_TOPK}, {"csr", v1::OUTPUT_MODE_SPARSE_CSR}, {"dense", v1::OUTPUT_MODE_DENSE}};
  command
      ->add_option_function<std::string>(
          "--mode", [=](const std::string& name) { options->rows.settings.options.set_output(modes.at(name)); },
          "Layout of the codes; default: that of the model, see below")
      ->check(CLI::IsMember(modes));
  command->add_option("--output", options->output, "File to write (.npz or .safetensors)")
      ->required()
      ->type_name("FILE");
  command->add_option("--rows-per-request", settings.rows_per_request, "Most rows in a request")
      ->transform(NumberIn<int64_t>::AtLeast(1).As<CLI::Validator>())
      ->capture_default_str();
  command->callback([=] {
    RequireRows(options->rows);
    *action = [=](const GlobalOptions& global) { return RunEncode(*options, global); };
  });
}

}  // namespace kwta::client::cli
