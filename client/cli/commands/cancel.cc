// kwta cancel
#include <iostream>

#include "client/cli/command.h"
#include "client/cli/job_watcher.h"
#include "client/cli/json.h"
#include "client/cli/report.h"

namespace kwta::client::cli {
namespace {

ExitCode RunCancel(const std::string& job_id, const GlobalOptions& global) {
  const auto job = Connect(global)->CancelJob(job_id);
  if (!job.ok()) return ReportFailure(job.status(), global);
  if (global.json) {
    std::cout << ToJson(*job) << "\n";
  } else {
    std::cout << "job " << job->id() << " " << StateName(job->state()) << "\n";
  }
  return kSuccess;
}

}  // namespace

void AddCancel(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("cancel", "Stop a job");
  command->footer("Examples:\n  kwta cancel nightly-17");
  const auto job_id = std::make_shared<std::string>();
  command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunCancel(*job_id, global); }; });
}

}  // namespace kwta::client::cli
