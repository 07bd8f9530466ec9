// kwta encode
#include <iostream>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/cli/codes_file.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/format.h"
#include "client/cli/input_rows.h"
#include "nlohmann/json.hpp"

namespace kwta::client::cli {
namespace {

constexpr char kEncodeFooter[] =
    R"(Arrays in the output (.npz or .safetensors); without --mode it is topk, or dense for winner-take-all models:
  --mode topk   indices [rows, k] int32 and values [rows, k] float32
  --mode csr    a matrix that scipy.sparse.load_npz reads
  --mode dense  codes [rows, units] float32
Rows of bytes are sent as they are; the model knows what it divides them by.
Examples:
  kwta encode --model fashion --input batch.npy --output codes.npz
  kwta encode --model fashion --data fashion-mnist --split test --alpha 3 --mode csr --output test.npz)";

struct EncodeCommand {
  std::string model;
  std::string input;
  LocalDataset data;
  std::string output;
  EncodeSettings settings;
};

ExitCode RunEncode(const EncodeCommand& command, const GlobalOptions& global) {
  const absl::Status output_path = ValidateCodesPath(command.output);
  if (!output_path.ok()) return ReportUsage(std::string(output_path.message()));
  const auto dataset = command.input.empty() ? command.data.Load() : LoadFile(command.input);
  if (!dataset.ok()) return ReportFailure(dataset.status(), global);
  const auto client = Connect(global);
  const auto encoded = EncodeAll(*client, command.model, SourceOf(*dataset), command.settings, [](int64_t) {});
  const absl::Status unchanged = dataset->CheckUnchanged();
  if (!unchanged.ok()) return ReportFailure(unchanged, global);
  if (!encoded.ok()) return ReportFailure(encoded.status(), global);
  const EncodeResult& codes = encoded->codes;
  const auto* sparse = std::get_if<SparseCodes>(&codes.codes);
  v1::OutputMode mode = command.settings.options.output();
  if (mode == v1::OUTPUT_MODE_UNSPECIFIED) {
    mode = sparse != nullptr ? v1::OUTPUT_MODE_SPARSE_TOPK : v1::OUTPUT_MODE_DENSE;
  }
  const absl::Status written = WriteCodes(command.output, command.model, mode, codes);
  if (!written.ok()) return ReportFailure(written, global);

  const double rate = static_cast<double>(codes.rows()) / encoded->seconds;
  const int64_t k = sparse != nullptr ? sparse->RectangularWidth() : -1;  // -1: dense, or no number that rows share
  if (global.json) {
    nlohmann::json json = {{"model", command.model},     {"version", codes.model_version}, {"rows", codes.rows()},
                           {"requests", codes.requests}, {"seconds", encoded->seconds},    {"rows_per_second", rate},
                           {"output", command.output}};
    if (k >= 0) json["k"] = k;
    std::cout << json << "\n";
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
                               command.model, codes.model_version);
  return kSuccess;
}

}  // namespace

void AddEncode(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("encode", "Encode rows with a model");
  command->footer(kEncodeFooter);
  const auto options = std::make_shared<EncodeCommand>();
  EncodeSettings& settings = options->settings;
  command->add_option("--model", options->model, "Name of the model")->required();
  CLI::Option* version =
      command->add_option("--version", settings.version, "Version of the model; default: what label stable names")
          ->check(CLI::PositiveNumber);
  command->add_option("--label", settings.label, "Label of the version, such as canary")->excludes(version);
  CLI::Option* input = command->add_option("--input", options->input, "File to encode (.npy, .idx or .idx.gz)")
                           ->check(CLI::ExistingFile)
                           ->type_name("FILE");
  AddLocalDatasetOptions(*command, {"train", "validation", "test"}, &options->data);
  command->get_option("--data")->excludes(input)->description("Named data set to encode instead of a file");
  AddSparsityOptions(*command, &settings.options);
  const std::map<std::string, v1::OutputMode> modes = {
      {"topk", v1::OUTPUT_MODE_SPARSE_TOPK}, {"csr", v1::OUTPUT_MODE_SPARSE_CSR}, {"dense", v1::OUTPUT_MODE_DENSE}};
  command
      ->add_option_function<std::string>(
          "--mode", [=](const std::string& name) { options->settings.options.set_output(modes.at(name)); },
          "Layout of the codes; default topk, dense for winner-take-all models")
      ->check(CLI::IsMember(modes));
  command->add_option("--output", options->output, "File to write (.npz or .safetensors)")
      ->required()
      ->type_name("FILE");
  command->add_option("--rows-per-request", settings.rows_per_request, "Most rows in a request")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([=] {
    if (options->input.empty() && options->data.reference.source_case() == v1::DatasetRef::SOURCE_NOT_SET) {
      throw CLI::RequiredError("--input or --data");
    }
    *action = [=](const GlobalOptions& global) { return RunEncode(*options, global); };
  });
}

}  // namespace kwta::client::cli
