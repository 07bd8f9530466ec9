// kwta reproduce
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/stage_progress.h"
#include "core/base/parse_number.h"
#include "core/research/reproduction/reproduction.h"

namespace kwta::client::cli {
namespace {

constexpr char kReproduceFooter[] =
    R"(Needs no server: trains and measures in this process, with the library that the server uses. A full run may take hours;
it can be stopped with Ctrl-C at any time, and the same command goes on where it was. DIR of --data has a folder for each
data set (mnist, cifar10), or is one.
Exit codes: 0 the report is written and the order of the results is the papers'; 1 something failed; 5 the report is
written but an order that the papers claim did not come out; 130 stopped.
Examples:
  kwta reproduce k-sparse-table1 --data /data --output report
  kwta reproduce k-sparse-table1 --data /data --quick
  kwta reproduce arpit-fig1 --data /data --output report --only 'mnist*'
  kwta reproduce arpit-fig1 --data /data --output report --report-only)";

std::string TableList() {
  std::string list;
  for (const ReproducibleTable& table : ReproducibleTables()) {
    absl::StrAppend(&list, "\n  ", table.name, ": ", table.description);
  }
  return list;
}

ExitCode RunReproduce(ReproductionOptions options, const GlobalOptions& global) {
  StageProgress progress;
  std::string stage;
  options.progress = [&](const std::string& name, double fraction) {
    if (name != stage) progress.Start(name);
    stage = name;
    progress.Update(fraction);
  };
  const InterruptFlag interrupted;
  options.stop = interrupted.get();
  const absl::StatusOr<Reproduction> result = Reproduce(options);
  progress.Finish();
  if (absl::IsCancelled(result.status())) {
    return ReportError(absl::StatusCodeToString(absl::StatusCode::kCancelled), std::string(result.status().message()),
                       kInterrupted, global);
  }
  if (!result.ok()) return ReportFailure(result.status(), global);
  if (global.json) {
    std::cout << ToJson({{"html", result->html_path},
                         {"json", result->json_path},
                         {"broken_claims", result->broken_claims}})
              << "\n";
  } else {
    std::cout << result->summary << "\nreport: " << result->html_path << "\nnumbers: " << result->json_path << "\n";
  }
  return result->broken_claims.empty() ? kSuccess : kClaimBroken;
}

}  // namespace

void AddReproduce(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("reproduce", "Compute a table or the figures of the papers anew");
  command->footer(kReproduceFooter);
  const auto options = std::make_shared<ReproductionOptions>();
  options->output_directory = "reproduction";
  std::vector<std::string> names;
  for (const ReproducibleTable& table : ReproducibleTables()) names.emplace_back(table.name);
  command->add_option("TABLE", options->table, "One of:" + TableList())->required()->check(CLI::IsMember(names));
  command->add_option("--data", options->data_directories, "Directory with the data sets; may be given several times")
      ->check(CLI::ExistingDirectory)
      ->type_name("DIR");
  command->add_option("--output", options->output_directory, "Directory for the report and for what is finished")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_flag("--quick", options->quick, "A few minutes, on a part of the data");
  command->add_option("--seeds", options->seeds, "Runs of each measurement; default 3, or 1 with --quick")
      ->transform(NumberIn<int32_t>::Between(1, 1000).As<CLI::Validator>());
  CLI::Option* const only =
      command
          ->add_option("--only", options->only,
                       "Of arpit-fig1 to arpit-fig5: only trainings with such a name, as 'mnist*' or "
                       "'*, DAE, *seed 1'; may be given several times")
          ->type_name("PATTERN");
  command
      ->add_flag("--report-only", options->report_only,
                 "Of these: train nothing, write the report anew with what --output has")
      ->excludes(only);
  command->add_option("--threads", options->threads, "Threads; 0 takes every processor")
      ->transform(NumberIn<int32_t>::Between(0, 1024).As<CLI::Validator>())
      ->capture_default_str();
  command->callback([=] { *action = [=](const GlobalOptions& global) { return RunReproduce(*options, global); }; });
}

}  // namespace kwta::client::cli
