// Reports that something went wrong.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/command.h"

namespace kwta::client::cli {

// The text printed for a failed call or file, and its exit code.
struct FailureText {
  std::string message;  // includes what the user can do about it
  ExitCode exit_code = kFailed;
};
FailureText Explain(const absl::Status& status, const GlobalOptions& global);

// Prints "kwta: <message>" to standard error; with --json prints {"error":{"code":...,"exit_code":...,"message":...}},
// where code is the name of a status. Returns the exit code.
ExitCode ReportError(absl::string_view code, const std::string& message, ExitCode exit_code,
                     const GlobalOptions& global);
// The same for a status that is not OK.
ExitCode ReportFailure(const absl::Status& status, const GlobalOptions& global);
// The same for a command line that makes no sense.
ExitCode ReportUsage(const std::string& message, const GlobalOptions& global);

}  // namespace kwta::client::cli
