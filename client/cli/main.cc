// kwta: the command line.
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "client/cli/command.h"

int main(int argc, char** argv) {
  using namespace kwta::client::cli;
  // Debian's library looks for deadlocks whenever a mutex is locked, under one lock for all of them.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  GlobalOptions global;
  Action action;
  const auto app = BuildCommandLine(&global, &action);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == 0;
    if (asked_for_help) return app->exit(error);
    std::string command = "kwta";
    for (const CLI::App* named : app->get_subcommands()) command += " " + named->get_name();
    return ReportUsage(std::string(error.what()) + "\nRun '" + command + " --help' for its options and examples.");
  }
  return action(global);
}
