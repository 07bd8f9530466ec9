// kwta train
#include <iostream>

#include "client/cli/command.h"
#include "client/cli/job_watcher.h"
#include "client/cli/json.h"
#include "client/cli/options/train_options.h"
#include "client/cli/report.h"

namespace kwta::client::cli {
namespace {

constexpr char kTrainFooter[] =
    R"(A path in --data is relative to the server's data directory ('kwta upload' puts files there).
Examples:
  kwta train --model fashion --units 1000 --k 25 --data fashion-mnist --watch
  kwta train --model fashion --k 25 --k-start 100 --subtract-mean --rate 0.002 --epochs 50 --data fashion-mnist
  kwta train --model maps --encoder winner-take-all --maps 16 --filter-size 7 --epochs 5 --data fashion-mnist --watch
  kwta train --model deep --base fashion --units 1000 --k 25 --data fashion-mnist --watch
  kwta train --model tuned --base fashion --fine-tune --epochs 20 --rate 0.05 --code-dropout 0.2 --data fashion-mnist
  kwta train --model filters --k 50 --data cifar10 --step random-patches:size=8 --step global-contrast --step whiten
  kwta train --model patches --data patches.npy --job-id nightly-17 --json)";

ExitCode RunTrain(const TrainOptions& options, const GlobalOptions& global) {
  const auto client = Connect(global);
  const auto job = client->Train(options.request);
  if (!job.ok()) return ReportFailure(job.status(), global);
  if (global.json && options.watch) {
    std::cout << "{\"job\": " << ToJson(*job) << "}" << std::endl;
  } else if (global.json) {
    std::cout << ToJson(*job) << std::endl;
  } else {
    std::cout << "job " << job->id() << " " << StateName(job->state());
    if (!options.watch) std::cout << "; follow it with: kwta watch " << job->id();
    std::cout << std::endl;
  }
  return options.watch ? FollowJob(*client, job->id(), global) : kSuccess;
}

}  // namespace

void AddTrain(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("train", "Submit a training job");
  command->footer(kTrainFooter);
  const auto options = std::make_shared<TrainOptions>();
  AddTrainOptions(*command, options.get());
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunTrain(*options, global); }; });
}

}  // namespace kwta::client::cli
