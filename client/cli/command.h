// What all subcommands of `kwta` share. A subcommand is one file with one function, listed at the end of this file and
// in command_line.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "client/client.h"

namespace kwta::client::cli {

// Exit codes, part of the interface (docs/cli.md).
enum ExitCode {
  kSuccess = 0,
  kFailed = 1,        // A call or a local file failed.
  kUsage = 2,         // The command line makes no sense.
  kJobFailed = 3,     // The job that was watched failed or was cancelled.
  kUnreachable = 4,   // No server answers at the address.
  kClaimBroken = 5,   // A reproduction was written, but an order that a paper claims was not reproduced.
  kInterrupted = 130  // Ctrl-C.
};

// Options that may come before or after any subcommand.
struct GlobalOptions {
  std::string server = Options().address;
  TlsOptions tls;
  std::string token_file;
  bool json = false;
  double timeout_seconds = absl::ToDoubleSeconds(Options().default_deadline);
};

// What the command line requests. The named subcommand sets it and main runs it.
using Action = std::function<ExitCode(const GlobalOptions&)>;

// Returns the server that the global options name, and how to reach it. Uses the token of KWTA_TOKEN if no file is
// named.
Options ServerOf(const GlobalOptions& global);
// Returns a client for that server.
std::unique_ptr<Client> Connect(const GlobalOptions& global);

void AddTrain(CLI::App& app, Action* action);
void AddEncode(CLI::App& app, Action* action);
void AddReconstruct(CLI::App& app, Action* action);
void AddClassify(CLI::App& app, Action* action);
void AddEvaluate(CLI::App& app, Action* action);
void AddStatus(CLI::App& app, Action* action);
void AddJobs(CLI::App& app, Action* action);
void AddWatch(CLI::App& app, Action* action);
void AddLogs(CLI::App& app, Action* action);
void AddCancel(CLI::App& app, Action* action);
void AddModels(CLI::App& app, Action* action);
void AddDelete(CLI::App& app, Action* action);
void AddUpload(CLI::App& app, Action* action);
void AddDatasets(CLI::App& app, Action* action);
void AddLoad(CLI::App& app, Action* action);
void AddReproduce(CLI::App& app, Action* action);
void AddToken(CLI::App& app, Action* action);
void AddCompletion(CLI::App& app, Action* action);
void AddManual(CLI::App& app, Action* action);

}  // namespace kwta::client::cli
