// kwta reconstruct
#include <algorithm>
#include <cstring>
#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/json.h"
#include "client/cli/model_input.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/npy.h"

namespace kwta::client::cli {
namespace {

constexpr char kReconstructFooter[] =
    R"(Rows are encoded and decoded again; the output is a .npy of float32 [rows, width], what the model makes of them.
Examples:
  kwta reconstruct --model fashion --data fashion-mnist --split test --max-rows 100 --output reconstructed.npy)";

struct ReconstructCommand {
  ModelInput rows;
  std::string output;
};

struct Reconstructed {
  Tensor rows;
  uint64_t version = 0;
};

// Rows per call; each call has its own deadline.
constexpr int64_t kRowsACall = 2048;

absl::StatusOr<Reconstructed> ReconstructAll(Client& client, const ReconstructCommand& command,
                                             StageProgress* progress) {
  progress->Start("reading");
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, command.rows.Load());
  const RowSource source = SourceOf(dataset);
  EncodeSettings settings = command.rows.settings;
  Reconstructed all{Tensor(DType::kF32, {source.rows, source.width})};
  progress->Start(absl::StrCat("reconstructing with '", command.rows.model, "'"));
  for (int64_t begin = 0; begin < source.rows; begin += kRowsACall) {
    const int64_t count = std::min(kRowsACall, source.rows - begin);
    KWTA_ASSIGN_OR_RETURN(const ReconstructResult piece,
                          client.Reconstruct(command.rows.model, source.read(begin, count), settings));
    std::memcpy(all.rows.as<float>() + begin * source.width, piece.output.data(), piece.output.bytes());
    all.version = piece.model_version;
    settings.version = piece.model_version;  // One version reconstructs all rows.
    settings.label.clear();
    progress->Update(static_cast<double>(begin + count) / static_cast<double>(source.rows));
  }
  return all;
}

ExitCode RunReconstruct(const ReconstructCommand& command, const GlobalOptions& global) {
  if (!absl::EndsWith(command.output, ".npy")) {
    return ReportUsage(absl::StrCat("'", command.output, "' does not end in .npy, which is what is written"), global);
  }
  const absl::Status writable = CheckCanWrite(command.output);
  if (!writable.ok()) return ReportFailure(writable, global);
  StageProgress progress(StageProgress::Elsewhere::kNothing);
  const auto reconstructed = ReconstructAll(*Connect(global), command, &progress);
  progress.Finish();
  if (!reconstructed.ok()) return ReportFailure(reconstructed.status(), global);
  const Tensor& rows = reconstructed->rows;
  const absl::Status written = WriteNpy(command.output, {rows.dtype(), rows.shape(), rows.data()});
  if (!written.ok()) return ReportFailure(written, global);
  if (global.json) {
    std::cout << ToJson({{"model", command.rows.model},
                         {"version", reconstructed->version},
                         {"rows", rows.shape()[0]},
                         {"width", rows.shape()[1]},
                         {"output", command.output}})
              << "\n";
  } else {
    std::cout << absl::StreamFormat("%s: %s rows of %d (model '%s' version %d)\n", command.output,
                                    HumanCount(static_cast<uint64_t>(rows.shape()[0])), rows.shape()[1],
                                    command.rows.model, reconstructed->version);
  }
  return kSuccess;
}

}  // namespace

void AddReconstruct(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("reconstruct", "Encode rows with a model and decode them again");
  command->footer(kReconstructFooter);
  const auto options = std::make_shared<ReconstructCommand>();
  AddModelInputOptions(*command, "File to reconstruct (.npy, .idx or .idx.gz)", &options->rows);
  AddSparsityOptions(*command, &options->rows.settings.options);
  command->add_option("--output", options->output, "File to write (.npy)")->required()->type_name("FILE");
  command->callback([=] {
    RequireRows(options->rows);
    *action = [=](const GlobalOptions& global) { return RunReconstruct(*options, global); };
  });
}

}  // namespace kwta::client::cli
