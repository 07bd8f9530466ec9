// kwta upload
#include <iostream>
#include <utility>

#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"

namespace kwta::client::cli {
namespace {

ExitCode RunUpload(const std::string& file, const GlobalOptions& global) {
  StageProgress progress(StageProgress::Elsewhere::kNothing);
  progress.Start("reading " + file);
  bool sending = false;
  const auto uploaded = Connect(global)->UploadDataset(file, {}, [&](uint64_t sent, uint64_t of) {
    if (!std::exchange(sending, true)) progress.Start("sending " + file);
    progress.Update(static_cast<double>(sent) / static_cast<double>(of));
  });
  progress.Finish();
  if (!uploaded.ok()) return ReportFailure(uploaded.status(), global);
  if (global.json) {
    std::cout << ToJson(*uploaded) << "\n";
  } else {
    std::cout << uploaded->path() << ": " << HumanCount(uploaded->rows()) << " rows of " << uploaded->width()
              << "; train on it with --data " << uploaded->path() << "\n";
  }
  return kSuccess;
}

}  // namespace

void AddUpload(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("upload", "Upload a data set to the server");
  command->footer("Examples:\n  kwta upload patches.npy\n  kwta train --model patches --data patches.npy");
  const auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "A .npy, .idx or .idx.gz file")
      ->required()
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunUpload(*file, global); }; });
}

}  // namespace kwta::client::cli
