// kwta: the command line.
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "client/cli/command_line.h"
#include "client/cli/report.h"
#include "client/cli/terminal/standard_streams.h"

int main(int argc, char** argv) {
  using namespace kwta::client::cli;
  // Debian's library searches for deadlocks whenever a mutex is locked, under one lock for all mutexes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // gRPC would write its own lines to standard error, between ours. Statuses carry what matters of them.
  setenv("GRPC_VERBOSITY", "NONE", /*replace=*/0);
  StandardStreams streams;
  const ExitCode code = RunCommandLine(argc, argv);
  const absl::Status printed = streams.Finish();
  if (printed.ok() || code != kSuccess) return code;
  return ReportFailure(printed, GlobalOptions());
}
