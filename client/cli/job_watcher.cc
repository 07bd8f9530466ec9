#include "client/cli/job_watcher.h"

#include <unistd.h>

#include <functional>
#include <iostream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/live_line.h"
#include "client/cli/terminal/progress_bar.h"
#include "client/cli/terminal/queue_position.h"

namespace kwta::client::cli {
namespace {

// Returns the command that brings the user back to the job.
std::string WatchCommand(const std::string& job_id, const GlobalOptions& global) {
  const std::string server = global.server == Options().address ? "" : absl::StrCat("--server ", global.server, " ");
  return absl::StrCat("kwta ", server, "watch ", job_id);
}

// Prints events one after another.
class EventPrinter {
 public:
  // `queue_words` returns where the job stands while it waits.
  EventPrinter(const GlobalOptions& global, std::function<std::string()> queue_words)
      : json_(global.json), server_(global.server), queue_words_(std::move(queue_words)), line_(STDOUT_FILENO) {}

  // Returns false once standard output accepts no more.
  bool Print(const v1::JobEvent& event) {
    lost_ = false;
    if (json_) {
      std::cout << "{\"event\": " << ToJson(event) << "}" << std::endl;
      return std::cout.good();
    }
    PrintWarnings(event.progress());
    if (line_.on_terminal()) {
      PrintOnTerminal(event);
    } else {
      PrintPlain(event);
    }
    return std::cout.good();
  }

  // Says that the server is away and that the client waits for it; once for each time.
  void PrintLost(const absl::Status& lost) {
    if (json_ || lost_) return;
    lost_ = true;
    bar_shown_ = false;
    const std::string words = absl::StrCat("the server at ", server_, " is away, trying again (", lost.message(), ")");
    if (line_.on_terminal()) {
      line_.Show(words);
    } else {
      std::cerr << "kwta: " << words << std::endl;
    }
  }

  // On a terminal, shows where the job stands in the queue until it leaves the queue or the server does not answer.
  void PrintQueue(Client& client, const std::string& job_id) {
    if (json_ || !line_.on_terminal()) return;
    constexpr absl::Duration kBetweenLooks = absl::Seconds(2);
    for (auto job = client.GetJob(job_id); job.ok() && job->state() == v1::JOB_STATE_QUEUED;
         job = client.GetJob(job_id)) {
      line_.Show(StateWords(job->state()));
      absl::SleepFor(kBetweenLooks);
    }
  }

  // Ends the line that is being rewritten, if there is one.
  void Finish() { line_.Keep(); }

 private:
  void PrintOnTerminal(const v1::JobEvent& event) {
    if (!event.has_progress() && bar_shown_) return;  // The bar already shows it.
    bar_shown_ = event.has_progress();
    line_.Show(bar_shown_ ? ProgressLine(event.progress(), line_.columns()) : StateWords(event.state()));
  }

  // Prints each warning once, on a line that stays.
  void PrintWarnings(const v1::TrainingProgress& progress) {
    for (; warnings_shown_ < progress.warnings_size(); ++warnings_shown_) {
      line_.Clear();
      std::cerr << "kwta: warning: " << progress.warnings(warnings_shown_) << std::endl;
    }
  }

  std::string StateWords(v1::JobState state) {
    const std::string words = state == v1::JOB_STATE_QUEUED ? queue_words_() : "";
    return words.empty() ? StateName(state) : absl::StrCat(StateName(state), ", ", words);
  }

  void PrintPlain(const v1::JobEvent& event) {
    if (!event.has_progress()) {
      if (event.state() == state_) return;
      state_ = event.state();
      std::cout << StateWords(state_) << std::endl;
    } else if (event.progress().epochs_done() != epochs_done_) {
      epochs_done_ = event.progress().epochs_done();
      std::cout << ProgressText(event.progress()) << std::endl;
    }
  }

  const bool json_;
  const std::string server_;
  const std::function<std::string()> queue_words_;
  LiveLine line_;
  bool lost_ = false;
  bool bar_shown_ = false;
  int warnings_shown_ = 0;
  v1::JobState state_ = v1::JOB_STATE_UNSPECIFIED;
  uint32_t epochs_done_ = 0;
};

// Prints the result of training, if the model still exists.
void PrintSummary(Client& client, const v1::Job& job) {
  // In winner-take-all encoders a map is a unit. The code is wider, by the positions of a map.
  const uint64_t trained_units = job.progress().units();
  std::cout << "job " << job.id() << " succeeded: model '" << job.spec().model() << "' version " << job.model_version()
            << "\n";
  const auto model = client.GetModel(job.spec().model());
  if (!model.ok()) return;
  for (const v1::ModelVersion& version : model->versions()) {
    if (version.version() != job.model_version()) continue;
    const v1::TrainingStatistics& statistics = version.description().statistics();
    if (statistics.has_training_error()) {
      std::cout << absl::StrFormat("  cross-entropy %.4g, %s of the training rows classified wrongly (last epoch)\n",
                                   statistics.loss(), Percent(statistics.training_error()));
    } else {
      std::cout << absl::StrFormat("  loss %.4g, fraction of variance unexplained %s (last epoch)\n", statistics.loss(),
                                   Decimals(statistics.fraction_variance_unexplained()))
                << "  dead units " << HumanCount(statistics.dead_units()) << " of "
                << HumanCount(trained_units > 0 ? trained_units : version.description().code_width())
                << " over the last " << HumanCount(statistics.dead_window_rows()) << " training rows\n";
      if (statistics.has_activation_fraction()) {
        std::cout << absl::StrFormat("  activation fraction %s over the last %s training rows\n",
                                     Decimals(statistics.activation_fraction()),
                                     HumanCount(statistics.activity_window_rows()));
      }
    }
    std::cout << "  " << HumanRate(statistics.images_per_second()) << " images/s, "
              << HumanDuration(absl::Seconds(statistics.train_seconds())) << " of training\n";
  }
}

}  // namespace

std::string StateName(v1::JobState state) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_"));
}

ExitCode FollowJob(Client& client, const std::string& job_id, const GlobalOptions& global) {
  EventPrinter printer(global, [&client, &job_id] {
    const auto job = client.GetJob(job_id);
    return job.ok() ? PositionWords(QueuedJobs(client), *job) : "";
  });
  absl::StatusOr<v1::JobEvent> last;
  {
    const InterruptNotice notice(
        absl::StrCat("\nThe job goes on. Return to it with: ", WatchCommand(job_id, global), "\n"), kInterrupted);
    printer.PrintQueue(client, job_id);
    WatchOptions options;
    options.on_lost = [&printer](const absl::Status& lost) { printer.PrintLost(lost); };
    last = client.WatchJob(job_id, options, [&](const v1::JobEvent& event) { return printer.Print(event); });
  }
  printer.Finish();
  if (!last.ok()) return ReportFailure(last.status(), global);
  if (!std::cout.good()) return kFailed;  // main says why
  const auto job = client.GetJob(job_id);
  if (!job.ok()) return ReportFailure(job.status(), global);
  if (global.json) std::cout << "{\"job\": " << ToJson(*job) << "}" << std::endl;
  switch (job->state()) {
    case v1::JOB_STATE_SUCCEEDED:
      if (!global.json) PrintSummary(client, *job);
      return kSuccess;
    case v1::JOB_STATE_FAILED:
      return ReportError(absl::StatusCodeToString(static_cast<absl::StatusCode>(job->error().code())),
                         absl::StrCat("job ", job_id, " failed: ", job->error().message()), kJobFailed, global);
    default:
      return ReportError(absl::StatusCodeToString(absl::StatusCode::kCancelled),
                         absl::StrCat("job ", job_id, " was ", StateName(job->state())), kJobFailed, global);
  }
}

}  // namespace kwta::client::cli
