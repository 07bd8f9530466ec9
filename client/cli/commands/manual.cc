// kwta manual, for packagers
#include "command_line/manual.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/report.h"
#include "core/base/version.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

ExitCode WriteManual(const CLI::App& app, const std::string& directory, const GlobalOptions& global) {
  for (const command_line::ManualPage& page :
       command_line::ManualPages(app, absl::StrCat("kwta ", kVersion), 1, {"kwta-server(8)"})) {
    const absl::Status written = WriteFileAtomically(absl::StrCat(directory, "/", page.name, ".1"), page.text);
    if (!written.ok()) return ReportFailure(written, global);
  }
  return kSuccess;
}

}  // namespace

void AddManual(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("manual", "Write the manual pages of this program into a directory");
  command->footer("Examples:\n  kwta manual man1");
  command->group("");  // of use to whoever makes a package
  const auto directory = std::make_shared<std::string>();
  command->add_option("directory", *directory, "The directory")->required()->type_name("DIRECTORY");
  command->callback(
      [=, &app] { *action = [=, &app](const GlobalOptions& global) { return WriteManual(app, *directory, global); }; });
}

}  // namespace kwta::client::cli
