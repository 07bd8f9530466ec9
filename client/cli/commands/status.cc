// kwta status
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/format.h"
#include "client/cli/json.h"
#include "client/cli/table.h"

namespace kwta::client::cli {
namespace {

void PrintStatus(const v1::StatusResponse& status, const GlobalOptions& global) {
  Table table({{""}, {""}});
  table.AddRow({"server", absl::StrCat("kwta-server ", status.kwta_version(), " at ", global.server)});
  table.AddRow({"state", absl::StrCat(status.draining() ? "draining" : "serving", ", up ",
                                      HumanDuration(absl::Now() - ToTime(status.started())))});
  table.AddRow({"backend", absl::StrCat(status.backend(), ", ", status.threads(), " threads, ",
                                        absl::StrJoin(status.cpu_features(), " "))});
  table.AddRow({"models", absl::StrCat(status.models())});
  table.AddRow({"jobs", absl::StrCat(status.jobs_running(), " running, ", status.jobs_queued(), " queued, ",
                                     status.jobs_succeeded(), " succeeded, ", status.jobs_failed(), " failed, ",
                                     status.jobs_cancelled(), " cancelled")});
  table.AddRow({"encoded", absl::StrCat(HumanCount(status.rows_encoded()), " rows in ",
                                        HumanCount(status.encode_requests()), " requests")});
  table.AddRow({"messages", absl::StrCat("up to ", HumanBytes(status.max_message_bytes()))});
  if (!status.http_address().empty()) {
    table.AddRow(
        {"metrics", absl::StrCat(status.http_tls() ? "https://" : "http://", status.http_address(), "/metrics")});
  }
  table.Print(std::cout);
}

ExitCode RunStatus(const GlobalOptions& global) {
  const auto status = Connect(global)->ServerStatus();
  if (!status.ok()) return ReportFailure(status.status(), global);
  if (global.json) {
    std::cout << ToJson(*status) << "\n";
  } else {
    PrintStatus(*status, global);
  }
  return kSuccess;
}

}  // namespace

void AddStatus(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("status", "Show how the server is doing");
  command->footer("Examples:\n  kwta status\n  kwta status --json | jq .rows_encoded");
  command->callback([=] { *action = RunStatus; });
}

}  // namespace kwta::client::cli
