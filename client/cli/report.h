// How commands say that something went wrong.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/command.h"

namespace kwta::client::cli {

// What is printed of a call or a file that failed, and the exit code that goes with it.
struct FailureText {
  std::string message;  // with what can be done about it
  ExitCode exit_code = kFailed;
};
FailureText Explain(const absl::Status& status, const GlobalOptions& global);

// Prints "kwta: <message>" to standard error; with --json {"error":{"code":...,"exit_code":...,"message":...}}, where
// code is the name of a status. Gives the exit code.
ExitCode ReportError(absl::string_view code, const std::string& message, ExitCode exit_code,
                     const GlobalOptions& global);
// The same for a status that is not OK.
ExitCode ReportFailure(const absl::Status& status, const GlobalOptions& global);
// The same for a command line that makes no sense.
ExitCode ReportUsage(const std::string& message, const GlobalOptions& global);

}  // namespace kwta::client::cli
