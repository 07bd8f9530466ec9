// kwta logs
#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/job_watcher.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/progress_bar.h"

namespace kwta::client::cli {
namespace {

// Prints one line per event, with the time in this machine's zone.
void PrintLogLine(const v1::JobEvent& event, int* warnings_shown) {
  const std::string time = absl::FormatTime("%Y-%m-%d %H:%M:%S  ", ToTime(event.time()), absl::LocalTimeZone());
  const v1::TrainingProgress& progress = event.progress();
  for (; *warnings_shown < progress.warnings_size(); ++*warnings_shown) {
    std::cout << time << "warning: " << progress.warnings(*warnings_shown) << "\n";
  }
  if (event.has_progress()) {
    std::cout << time << ProgressText(progress) << "\n";
    return;
  }
  std::cout << time << StateName(event.state());
  if (event.model_version() > 0) std::cout << ", version " << event.model_version();
  if (event.has_error()) std::cout << ": " << event.error().message();
  std::cout << "\n";
}

ExitCode RunLogs(const std::string& job_id, const GlobalOptions& global) {
  const auto client = Connect(global);
  const auto job = client->GetJob(job_id);
  if (!job.ok()) return ReportFailure(job.status(), global);
  if (job->last_sequence() == 0) return kSuccess;
  int warnings_shown = 0;
  const auto last = client->WatchJob(job_id, {}, [&](const v1::JobEvent& event) {
    if (global.json) {
      std::cout << "{\"event\": " << ToJson(event) << "}\n";
    } else {
      PrintLogLine(event, &warnings_shown);
    }
    return event.sequence() < job->last_sequence() && std::cout.good();
  });
  return last.ok() ? kSuccess : ReportFailure(last.status(), global);
}

}  // namespace

void AddLogs(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("logs", "Print what has happened in a job so far");
  command->footer(R"('kwta watch JOB' follows a job until it ends.
Examples:
  kwta logs nightly-17
  kwta logs nightly-17 --json | jq .event.progress.loss)");
  const auto job_id = std::make_shared<std::string>();
  command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunLogs(*job_id, global); }; });
}

}  // namespace kwta::client::cli
