// kwta status
#include <iostream>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"
#include "client/cli/terminal/table.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {
namespace {

std::string DeviceText(const v1::DeviceStatus& device) {
  if (device.name().empty()) return absl::StrCat("none: ", device.failure());
  if (!device.failure().empty()) return absl::StrCat(device.name(), " has failed: ", device.failure());
  return absl::StrCat(device.name(), ", models take ", HumanBytes(device.models_bytes()), " of ",
                      HumanBytes(device.models_bytes_limit()), ", ", HumanBytes(device.used_bytes()), " of ",
                      HumanBytes(device.memory_bytes()), " in use");
}

void PrintStatus(const v1::StatusResponse& status, const GlobalOptions& global) {
  Table table({{""}, {""}});
  table.AddRow({"server", absl::StrCat("kwta-server ", status.kwta_version(), " at ", global.server)});
  table.AddRow({"state", absl::StrCat(status.draining() ? "draining" : "serving", ", up ",
                                      HumanDuration(absl::Now() - ToTime(status.started())))});
  table.AddRow({"backend", absl::StrCat(status.backend(), ", ", status.threads(), " threads, ",
                                        absl::StrJoin(status.cpu_features(), " "))});
  if (status.has_device()) table.AddRow({"device", DeviceText(status.device())});
  table.AddRow({"models", absl::StrCat(status.models())});
  table.AddRow({"jobs", absl::StrCat(status.jobs_running(), " running, ", status.jobs_queued(), " queued, ",
                                     status.jobs_succeeded(), " succeeded, ", status.jobs_failed(), " failed, ",
                                     status.jobs_cancelled(), " cancelled")});
  if (!status.waiting_for_store().empty()) {
    table.AddRow({"", absl::StrCat("they wait for the store: ", status.waiting_for_store())});
  }
  table.AddRow({"encoded", absl::StrCat(HumanCount(status.rows_encoded()), " rows in ",
                                        HumanCount(status.encode_requests()), " requests")});
  table.AddRow({"messages", absl::StrCat("up to ", HumanBytes(status.max_message_bytes()))});
  if (!status.http_address().empty()) {
    table.AddRow(
        {"metrics", absl::StrCat(status.http_tls() ? "https://" : "http://", status.http_address(), "/metrics")});
  }
  table.Print(std::cout);
}

// Waits up to `wait_seconds` for a server to answer and returns its status; 0 makes as many attempts as any other call.
absl::StatusOr<v1::StatusResponse> AskStatus(const GlobalOptions& global, double wait_seconds) {
  Options server = ServerOf(global);
  if (wait_seconds <= 0) return Client(server).ServerStatus();
  server.retry.attempts = std::numeric_limits<int>::max();
  // A single attempt may take a while, as when packets are dropped; the time limits all of them together.
  return Client(server).ServerStatus({absl::Seconds(wait_seconds)});
}

ExitCode RunStatus(double wait_seconds, const GlobalOptions& global) {
  StageProgress progress(StageProgress::Elsewhere::kNothing);
  if (wait_seconds > 0) progress.Start("waiting for the server at " + global.server);
  const auto status = AskStatus(global, wait_seconds);
  progress.Finish();
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
  command->footer("Examples:\n  kwta status\n  kwta status --wait 30\n  kwta status --json | jq .rows_encoded");
  const auto wait_seconds = std::make_shared<double>(0);
  command->add_option("--wait", *wait_seconds, "Wait up to so many seconds for a server that is not there yet")
      ->transform(NumberIn<double>::AtLeast(0).Of("seconds").As<CLI::Validator>())
      ->type_name("SECONDS");
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunStatus(*wait_seconds, global); }; });
}

}  // namespace kwta::client::cli
