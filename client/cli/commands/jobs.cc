// kwta jobs
#include <algorithm>
#include <iostream>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/job_watcher.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/queue_position.h"
#include "client/cli/terminal/table.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {
namespace {

// How long the job has been training, or trained.
std::string TrainingTime(const v1::Job& job, absl::Time now) {
  if (!job.has_started()) return "-";
  return HumanDuration((job.has_finished() ? ToTime(job.finished()) : now) - ToTime(job.started()));
}

std::string JobStateWords(const v1::Job& job, const JobQueue& queue) {
  const std::string state = StateName(job.state()), position = PositionWords(queue, job);
  return position.empty() ? state : absl::StrCat(state, ", ", position);
}

void PrintJobs(const std::vector<v1::Job>& jobs, const JobQueue& queue) {
  using Align = Table::Align;
  const absl::Time now = absl::Now();
  Table table({{"JOB"},
               {"STATE"},
               {"MODEL"},
               {"EPOCH", Align::kRight},
               {"UNEXPLAINED", Align::kRight},
               {"DEAD", Align::kRight},
               {"TRAINED", Align::kRight},
               {"AGE", Align::kRight},
               {"ERROR"}});
  for (const v1::Job& job : jobs) {
    const v1::TrainingProgress& progress = job.progress();
    const bool reconstructs = progress.images_done() > 0 && progress.units() > 0;
    table.AddRow({job.id(), JobStateWords(job, queue), job.spec().model(),
                  job.has_progress() ? absl::StrCat(progress.epochs_done(), "/", progress.epochs()) : "-",
                  reconstructs ? Decimals(progress.fraction_variance_unexplained()) : "-",
                  progress.dead_window_rows() > 0 ? absl::StrCat(progress.dead_units()) : "-", TrainingTime(job, now),
                  HumanDuration(now - ToTime(job.created())), job.error().message()});
  }
  table.Print(std::cout);
}

ExitCode RunJobs(const v1::ListJobsRequest& request, const GlobalOptions& global) {
  const auto client = Connect(global);
  const auto jobs = client->ListJobs(request);
  if (!jobs.ok()) return ReportFailure(jobs.status(), global);
  if (global.json) {
    v1::ListJobsResponse response;
    response.mutable_jobs()->Add(jobs->begin(), jobs->end());
    std::cout << ToJson(response) << "\n";
  } else if (jobs->empty()) {
    std::cout << "no jobs; submit one with 'kwta train'\n";
  } else {
    const bool waiting =
        std::any_of(jobs->begin(), jobs->end(), [](const v1::Job& job) { return job.state() == v1::JOB_STATE_QUEUED; });
    PrintJobs(*jobs, waiting ? QueuedJobs(*client) : JobQueue());
  }
  return kSuccess;
}

}  // namespace

void AddJobs(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("jobs", "List training jobs, newest first");
  command->footer("Examples:\n  kwta jobs\n  kwta jobs --state running\n  kwta jobs nightly-17 --json");
  const auto request = std::make_shared<v1::ListJobsRequest>();
  std::map<std::string, v1::JobState> states;
  for (const v1::JobState state : {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED,
                                   v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED}) {
    states.emplace(StateName(state), state);
  }
  command
      ->add_option_function<std::string>(
          "job", [=](const std::string& id) { request->set_job_id(id); }, "Only this job")
      ->type_name("JOB");
  command
      ->add_option_function<std::string>(
          "--state", [=](const std::string& name) { request->set_state(states.at(name)); }, "Only jobs in this state")
      ->check(CLI::IsMember(states));
  command
      ->add_option_function<uint32_t>(
          "--limit", [=](uint32_t limit) { request->set_limit(limit); }, "At most so many, 1 .. 1000; default 100")
      ->transform(NumberIn<uint32_t>::Between(1, 1000).As<CLI::Validator>());
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunJobs(*request, global); }; });
}

}  // namespace kwta::client::cli
