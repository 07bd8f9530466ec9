// kwta load
#include "client/load/load.h"

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/command.h"
#include "client/cli/encode_all.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/model_input.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/stage_progress.h"
#include "client/cli/terminal/table.h"
#include "core/base/divide_up.h"
#include "core/base/parse_number.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

constexpr char kLoadFooter[] =
    R"(With --rate calls are made when they are due, however slow the answers are, and the latency of a call counts
from the moment it was due: tails are not hidden. Without --rate, --outstanding calls are always on their way,
which finds the capacity. The exit status is 1 if no call was answered, or if some were answered with an error that
is no sign of overload or of a server that ends, such as NOT_FOUND.
Examples:
  kwta load --model fashion                             capacity with one-row calls
  kwta load --model fashion --rate 5000 --seconds 30    latencies at 5,000 calls/s
  kwta load --model fashion --rows 256 --outstanding 4 --json-file load.json
  kwta load --model fashion --stream --outstanding 256
  kwta load --model fashion --data fashion-mnist --split test --rate 1000)";

// How many rows to generate if the user names none.
constexpr int64_t kMadeUpRows = 1024;

struct LoadCommand {
  ModelInput rows;  // Rows are generated if none are named.
  LoadOptions load;
  double seconds = 10, warm_up_seconds = 1, deadline_seconds = 10;
  std::string json_file;
};

absl::StatusOr<Tensor> MadeUpRows(const LoadCommand& command, const GlobalOptions& global) {
  KWTA_ASSIGN_OR_RETURN(const v1::Model model, Connect(global)->GetModel(command.rows.model));
  KWTA_ASSIGN_OR_RETURN(const v1::ModelVersion version, ChosenVersion(model, command.rows.settings));
  Tensor rows(DType::kU8, {kMadeUpRows, version.description().input_width()});
  Rng rng(1);
  for (int64_t i = 0; i < rows.elements(); ++i) rows.as<uint8_t>()[i] = static_cast<uint8_t>(rng.UniformBelow(256));
  return rows;
}

absl::StatusOr<Tensor> RowsToSend(const LoadCommand& command, const GlobalOptions& global) {
  if (!command.rows.named()) return MadeUpRows(command, global);
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, command.rows.Load());
  return Gathered(dataset);
}

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

const std::vector<std::pair<const char*, double>> kQuantiles = {
    {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}};

nlohmann::json LatencyJson(const LatencyHistogram& histogram) {
  nlohmann::json json = {{"count", histogram.count()}};
  if (histogram.count() == 0) return json;
  json["mean_ms"] = Milliseconds(histogram.mean());
  for (const auto& [name, part] : kQuantiles) json[absl::StrCat(name, "_ms")] = Milliseconds(histogram.Quantile(part));
  json["max_ms"] = Milliseconds(histogram.max());
  return json;
}

nlohmann::json LoadJson(const LoadCommand& command, const LoadReport& report) {
  nlohmann::json answers = nlohmann::json::object();
  for (const auto& [code, count] : report.answers) answers[absl::StatusCodeToString(code)] = count;
  return {{"model", command.rows.model},
          {"rate", command.load.rate},
          {"outstanding", command.load.outstanding},
          {"connections", command.load.connections},
          {"rows_per_call", command.load.rows_per_call},
          {"stream", command.load.stream},
          {"seconds", absl::ToDoubleSeconds(report.elapsed)},
          {"due", report.due},
          {"not_made", report.not_made},
          {"repeated", report.repeated},
          {"answers", answers},
          {"calls_per_second", report.calls_per_second()},
          {"rows_per_second", report.calls_per_second() * static_cast<double>(command.load.rows_per_call)},
          {"accepted", LatencyJson(report.accepted)},
          {"refused", LatencyJson(report.refused)}};
}

void PrintLatencies(const LatencyHistogram& accepted, const LatencyHistogram& refused) {
  std::vector<Table::Column> columns = {{"latency"}};
  for (const auto& [name, part] : kQuantiles) columns.push_back({name, Table::Align::kRight});
  columns.push_back({"max", Table::Align::kRight});
  columns.push_back({"mean", Table::Align::kRight});
  Table table(std::move(columns));
  const auto add = [&table](const char* name, const LatencyHistogram& histogram) {
    if (histogram.count() == 0) return;
    std::vector<std::string> cells = {name};
    for (const auto& quantile : kQuantiles) {
      cells.push_back(absl::StrFormat("%.3f ms", Milliseconds(histogram.Quantile(quantile.second))));
    }
    cells.push_back(absl::StrFormat("%.3f ms", Milliseconds(histogram.max())));
    cells.push_back(absl::StrFormat("%.3f ms", Milliseconds(histogram.mean())));
    table.AddRow(std::move(cells));
  };
  add("accepted", accepted);
  add("refused", refused);
  if (!table.empty()) table.Print(std::cout);
}

// Prints a bar for each doubling of the latency.
void PrintHistogram(const LatencyHistogram& histogram) {
  constexpr int kWidth = 50;
  if (histogram.count() == 0) return;
  absl::Duration from;
  for (absl::Duration to = absl::Microseconds(32); from < histogram.max(); from = to, to *= 2) {
    const int64_t count = histogram.CountBetween(from, to);
    if (count == 0) continue;
    const auto bar = static_cast<size_t>(DivideUp(count * kWidth, histogram.count()));
    std::cout << absl::StrFormat("  up to %10.3f ms  %9d  %s\n", Milliseconds(to), count, std::string(bar, '#'));
  }
}

void PrintReport(const LoadCommand& command, const LoadReport& report) {
  std::cout << absl::StrFormat("%s calls/s answered (%s rows/s) for %.1f s", HumanRate(report.calls_per_second()),
                               HumanRate(report.calls_per_second() * static_cast<double>(command.load.rows_per_call)),
                               absl::ToDoubleSeconds(report.elapsed));
  if (command.load.rate > 0) std::cout << ", " << HumanRate(command.load.rate) << " calls/s due";
  std::cout << "\n";
  for (const auto& [code, count] : report.answers) {
    if (code != absl::StatusCode::kOk) {
      std::cout << "  " << HumanCount(count) << " answers " << absl::StatusCodeToString(code) << "\n";
    }
  }
  if (!report.first_error.empty()) std::cout << "  the first: " << report.first_error << "\n";
  if (report.not_made > 0) {
    std::cout << "  " << HumanCount(report.not_made) << " calls were due but not made: --outstanding "
              << command.load.outstanding << " were on their way\n";
  }
  if (report.repeated > 0) {
    std::cout << "  " << HumanCount(report.repeated) << " attempts found no server that took them and were repeated\n";
  }
  PrintLatencies(report.accepted, report.refused);
  PrintHistogram(report.accepted);
}

ExitCode RunLoad(LoadCommand command, const GlobalOptions& global) {
  if (!command.json_file.empty()) {
    const absl::Status writable = CheckCanWrite(command.json_file);
    if (!writable.ok()) return ReportFailure(writable, global);
  }
  const absl::StatusOr<Tensor> rows = RowsToSend(command, global);
  if (!rows.ok()) return ReportFailure(rows.status(), global);
  StageProgress progress;
  progress.Start("loading the server");
  command.load.warm_up = absl::Seconds(command.warm_up_seconds);
  command.load.duration = absl::Seconds(command.seconds);
  command.load.deadline = absl::Seconds(command.deadline_seconds);
  const InterruptFlag interrupted;
  command.load.stop = interrupted.get();
  command.load.progress = [&progress](double fraction) { progress.Update(fraction); };
  const absl::StatusOr<LoadReport> report =
      GenerateLoad(ServerOf(global), command.rows.model, rows->rows(), command.rows.settings, command.load);
  progress.Finish();
  if (!report.ok()) return ReportFailure(report.status(), global);
  const nlohmann::json json = LoadJson(command, *report);
  if (global.json) {
    std::cout << ToJson(json) << "\n";
  } else {
    PrintReport(command, *report);
  }
  if (!command.json_file.empty()) {
    const absl::Status written = WriteFileAtomically(command.json_file, ToJsonLines(json) + "\n");
    if (!written.ok()) return ReportFailure(written, global);
  }
  if (interrupted.get()->load()) return kInterrupted;
  if (command.load.empty) return kSuccess;
  return report->ok() > 0 && report->faulty() == 0 ? kSuccess : kFailed;
}

}  // namespace

void AddLoad(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("load", "Load a server with Encode calls and measure how long they take");
  command->footer(kLoadFooter);
  const auto options = std::make_shared<LoadCommand>();
  LoadOptions& load = options->load;
  AddModelInputOptions(*command, "File with the rows to send (.npy, .idx or .idx.gz); default: random bytes",
                       &options->rows);
  CLI::Option* rate = command
                          ->add_option("--rate", load.rate,
                                       "Calls a second that are due (an open loop); default: as many as are answered")
                          ->transform(NumberIn<double>::AboveUpTo(0, 1e7).Of("calls a second").As<CLI::Validator>());
  command->add_option("--rows", load.rows_per_call, "Rows a call")
      ->transform(NumberIn<int64_t>::AtLeast(1).As<CLI::Validator>())
      ->capture_default_str();
  CLI::Option* outstanding =
      command->add_option("--outstanding", load.outstanding, "Most calls on their way; default 64, with --rate 4096")
          ->transform(NumberIn<int32_t>::Between(1, 100'000).As<CLI::Validator>());
  command->add_flag("--stream", load.stream, "Send messages over one stream a connection instead of calls")
      ->excludes(rate);
  command->add_flag("--empty", load.empty, "Send calls without rows, which the server refuses at once")
      ->excludes(command->get_option("--stream"));
  command
      ->add_flag("--repeat", load.repeat,
                 "Make calls again that find the server unavailable, as callers of the library do")
      ->excludes(command->get_option("--stream"));
  command->add_option("--connections", load.connections, "Connections that calls are spread over")
      ->transform(NumberIn<int32_t>::Between(1, 10'000).As<CLI::Validator>())
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "Time that is measured")
      ->transform(NumberIn<double>::Above(0).Of("seconds").As<CLI::Validator>())
      ->capture_default_str();
  command->add_option("--warm-up", options->warm_up_seconds, "Seconds of load before that")
      ->transform(NumberIn<double>::AtLeast(0).Of("seconds").As<CLI::Validator>())
      ->capture_default_str();
  command->add_option("--deadline", options->deadline_seconds, "Seconds that a call may take")
      ->transform(NumberIn<double>::Above(0).Of("seconds").As<CLI::Validator>())
      ->capture_default_str();
  AddSparsityOptions(*command, &options->rows.settings.options);
  command->add_option("--json-file", options->json_file, "Write the figures to this file too")->type_name("FILE");
  command->callback([=] {
    if (outstanding->empty() && options->load.rate > 0) options->load.outstanding = 4096;
    *action = [=](const GlobalOptions& global) { return RunLoad(*options, global); };
  });
}

}  // namespace kwta::client::cli
