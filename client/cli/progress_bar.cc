#include "client/cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/format.h"

namespace kwta::client::cli {
namespace {

constexpr int kSmallestBar = 10;
constexpr int kLargestBar = 40;
constexpr int kUsualColumns = 80;

}  // namespace

std::string ProgressText(const v1::TrainingProgress& progress) {
  // No epoch's loss is known before the first report of rows.
  std::string text = absl::StrFormat("epoch %d/%d", progress.epochs_done(), progress.epochs());
  if (progress.has_training_error()) {
    absl::StrAppendFormat(&text, "  loss %.4g  wrong %s", progress.loss(), Percent(progress.training_error()));
  } else if (progress.images_done() > 0 && progress.units() > 0) {
    absl::StrAppendFormat(&text, "  loss %.4g  unexplained %.4f", progress.loss(),
                          progress.fraction_variance_unexplained());
  }
  if (progress.images_done() > 0) {
    absl::StrAppendFormat(&text, "  %s images/s", HumanRate(progress.images_per_second()));
  }
  if (progress.k() > 0) absl::StrAppend(&text, "  k ", progress.k());
  if (progress.dead_window_rows() > 0) {
    absl::StrAppend(&text, "  dead ", progress.dead_units(), "/", progress.units());
  }
  if (progress.eta_seconds() > 0) {
    absl::StrAppend(&text, "  ETA ", HumanDuration(absl::Seconds(progress.eta_seconds())));
  }
  return text;
}

std::string ProgressLine(const v1::TrainingProgress& progress, int columns) {
  const double fraction = std::clamp(progress.fraction(), 0.0, 1.0);
  const std::string text = absl::StrFormat(" %3d%%  ", static_cast<int>(fraction * 100)) + ProgressText(progress);
  const int room = columns - 2 - static_cast<int>(text.size());
  const int bar = std::clamp(room, kSmallestBar, kLargestBar);
  const int filled = static_cast<int>(fraction * bar);
  std::string line = absl::StrCat("[", std::string(filled, '#'), std::string(bar - filled, '-'), "]", text);
  if (static_cast<int>(line.size()) > columns) line.resize(std::max(columns, 0));
  return line;
}

int TerminalColumns() {
  if (!isatty(STDOUT_FILENO)) return 0;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

}  // namespace kwta::client::cli
