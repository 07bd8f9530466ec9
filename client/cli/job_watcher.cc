#include "client/cli/job_watcher.h"

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/format.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/progress_bar.h"

namespace kwta::client::cli {
namespace {

// The words that bring the user back to the job.
std::string WatchCommand(const std::string& job_id, const GlobalOptions& global) {
  const std::string server = global.server == Options().address ? "" : absl::StrCat("--server ", global.server, " ");
  return absl::StrCat("kwta ", server, "watch ", job_id);
}

// Shows one event after another.
class EventPrinter {
 public:
  explicit EventPrinter(bool json) : json_(json), columns_(json ? 0 : TerminalColumns()) {}

  void Print(const v1::JobEvent& event) {
    if (!json_) PrintWarnings(event.progress());
    if (json_) {
      std::cout << "{\"event\": " << ToJson(event) << "}" << std::endl;
    } else if (columns_ > 0) {
      PrintOnTerminal(event);
    } else {
      PrintPlain(event);
    }
  }

  // Ends the line that is being rewritten, if there is one.
  void Finish() {
    if (line_open_) std::cout << std::endl;
    line_open_ = false;
  }

 private:
  // Each once, on lines that stay.
  void PrintWarnings(const v1::TrainingProgress& progress) {
    for (; warnings_shown_ < progress.warnings_size(); ++warnings_shown_) {
      Finish();
      std::cerr << "kwta: warning: " << progress.warnings(warnings_shown_) << std::endl;
    }
  }

  void PrintOnTerminal(const v1::JobEvent& event) {
    std::string line = event.has_progress() ? ProgressLine(event.progress(), columns_ - 1) : StateName(event.state());
    if (!event.has_progress() && line_open_) return;  // The bar says more.
    std::cout << "\r\x1b[K" << line << std::flush;
    line_open_ = true;
  }

  void PrintPlain(const v1::JobEvent& event) {
    if (!event.has_progress()) {
      if (event.state() == state_) return;
      state_ = event.state();
      std::cout << StateName(state_) << std::endl;
    } else if (event.progress().epochs_done() != epochs_done_) {
      epochs_done_ = event.progress().epochs_done();
      std::cout << ProgressText(event.progress()) << std::endl;
    }
  }

  const bool json_;
  const int columns_;
  bool line_open_ = false;
  int warnings_shown_ = 0;
  v1::JobState state_ = v1::JOB_STATE_UNSPECIFIED;
  uint32_t epochs_done_ = 0;
};

// What training came to, if the model is still there.
void PrintSummary(Client& client, const v1::Job& job) {
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
      std::cout << absl::StrFormat("  loss %.4g, fraction of variance unexplained %.4f (last epoch)\n",
                                   statistics.loss(), statistics.fraction_variance_unexplained())
                << "  dead units " << HumanCount(statistics.dead_units()) << " of "
                << HumanCount(version.description().code_width()) << " over the last "
                << HumanCount(statistics.dead_window_rows()) << " training rows\n";
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
  EventPrinter printer(global.json);
  absl::StatusOr<v1::JobEvent> last;
  {
    const InterruptNotice notice(
        absl::StrCat("\nThe job goes on. Return to it with: ", WatchCommand(job_id, global), "\n"), kInterrupted);
    last = client.WatchJob(job_id, {}, [&](const v1::JobEvent& event) {
      printer.Print(event);
      return true;
    });
  }
  printer.Finish();
  if (!last.ok()) return ReportFailure(last.status(), global);
  const auto job = client.GetJob(job_id);
  if (!job.ok()) return ReportFailure(job.status(), global);
  if (global.json) std::cout << "{\"job\": " << ToJson(*job) << "}" << std::endl;
  switch (job->state()) {
    case v1::JOB_STATE_SUCCEEDED:
      if (!global.json) PrintSummary(client, *job);
      return kSuccess;
    case v1::JOB_STATE_FAILED:
      std::cerr << "kwta: job " << job_id << " failed: " << job->error().message() << "\n";
      return kJobFailed;
    default:
      std::cerr << "kwta: job " << job_id << " was " << StateName(job->state()) << "\n";
      return kJobFailed;
  }
}

}  // namespace kwta::client::cli
