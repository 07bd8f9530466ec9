// kwta watch
#include "client/cli/command.h"
#include "client/cli/job_watcher.h"

namespace kwta::client::cli {

void AddWatch(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("watch", "Follow a job until it ends");
  command->footer(R"(Ctrl-C stops watching; the job goes on. Exit code 3 if the job failed or was cancelled.
Examples:
  kwta watch job-20260131-120000-0a1b2c3d
  kwta watch nightly-17 --json | jq .event.progress.loss)");
  const auto job_id = std::make_shared<std::string>();
  command->add_option("job", *job_id, "Id of the job")->required()->type_name("JOB");
  command->callback(
      [=] { *action = [=](const GlobalOptions& global) { return FollowJob(*Connect(global), *job_id, global); }; });
}

}  // namespace kwta::client::cli
