// Measures the rate of one piece of work, slice by slice, for scripts/bench.
//
//   work_bench inputs --output DIR [--data DIR]...        writes the images that the work uses
//   work_bench run --inputs DIR [--threads N] KIND NAME=VALUE...
//
// `run` sets the work up, warms up, and prints {"ready": true}. Then it reads lines from standard input, each with the
// seconds of a slice, works for that long (at least one call) and prints {"rows": .., "seconds": ..}. It takes no
// processor time while it waits, so several programs can take turns. `run --calls N` makes N calls and exits.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/work/inputs.h"
#include "bench/work/workload.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace kwta::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> data;
  std::string output;
  WorkOptions work;
  int calls = 0;
  std::vector<std::string> words;
};

absl::StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (!absl::StartsWith(word, "--")) {
      arguments.words.push_back(word);
      continue;
    }
    if (i + 1 == argc) return absl::InvalidArgumentError(absl::StrCat(word, " needs a value"));
    const std::string value = argv[++i];
    bool valid = true;
    if (word == "--data") {
      arguments.data.push_back(value);
    } else if (word == "--output") {
      arguments.output = value;
    } else if (word == "--inputs") {
      arguments.work.inputs = value;
    } else if (word == "--threads") {
      valid = absl::SimpleAtoi(value, &arguments.work.threads) && arguments.work.threads >= 0;
    } else if (word == "--calls") {
      valid = absl::SimpleAtoi(value, &arguments.calls) && arguments.calls >= 1;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("unknown option ", word));
    }
    if (!valid) return absl::InvalidArgumentError(absl::StrCat(word, " does not take '", value, "'"));
  }
  return arguments;
}

absl::Status PrintInputs(const Arguments& arguments) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> written, WriteInputs(arguments.data, arguments.output));
  std::cout << nlohmann::json{{"datasets", written}} << std::endl;
  return absl::OkStatus();
}

absl::Status RunSlices(const Arguments& arguments) {
  KWTA_ASSIGN_OR_RETURN(const WorkSpec spec, WorkSpec::Parse(absl::StrJoin(arguments.words, " ")));
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> work, CreateWorkload(spec, arguments.work));
  for (int call = 0; call < arguments.calls; ++call) KWTA_RETURN_IF_ERROR(work->Call());
  if (arguments.calls > 0) return absl::OkStatus();
  std::cout << nlohmann::json{{"ready", true}} << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    double wanted = 0;
    if (!absl::SimpleAtod(line, &wanted)) {
      return absl::InvalidArgumentError(absl::StrCat("expected the seconds of a slice, not '", line, "'"));
    }
    const Clock::time_point start = Clock::now();
    int64_t rows = 0;
    double seconds = 0;
    do {
      KWTA_RETURN_IF_ERROR(work->Call());
      rows += work->rows();
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    } while (seconds < wanted);
    std::cout << nlohmann::json{{"rows", rows}, {"seconds", seconds}} << std::endl;
  }
  return absl::OkStatus();
}

absl::Status Main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  KWTA_ASSIGN_OR_RETURN(const Arguments arguments, ParseArguments(argc, argv));
  if (command == "inputs") return PrintInputs(arguments);
  if (command == "run") return RunSlices(arguments);
  return absl::InvalidArgumentError("expected work_bench inputs ... or work_bench run ...; see bench/work/main.cc");
}

}  // namespace
}  // namespace kwta::bench

int main(int argc, char** argv) {
  const absl::Status status = kwta::bench::Main(argc, argv);
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << "work_bench: " << status << "\n";
  return EXIT_FAILURE;
}
