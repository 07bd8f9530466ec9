#include "client/cli/terminal/progress_bar.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/terminal/format.h"

namespace kwta::client::cli {
namespace {

constexpr int kSmallestBar = 10;
constexpr int kLargestBar = 40;

// A trainer whose threads get less of their time is slowed down by others, which the user should know.
constexpr double kSlowed = 0.5;

// In the order in which they are dropped when there is little room.
enum class LinePart { kK, kSpeed, kLoss, kBar, kFit, kDead, kTimeLeft, kShare, kEpoch };
struct Piece {
  LinePart part;
  std::string text;
};

std::vector<Piece> Pieces(const v1::TrainingProgress& progress) {
  std::vector<Piece> pieces = {
      {LinePart::kEpoch, absl::StrFormat("epoch %d/%d", progress.epochs_done(), progress.epochs())}};
  // The loss is unknown before the first report of rows.
  const bool begun = progress.images_done() > 0;
  if (progress.has_training_error()) {
    pieces.push_back({LinePart::kLoss, absl::StrFormat("loss %.4g", progress.loss())});
    pieces.push_back({LinePart::kFit, absl::StrCat("wrong ", Percent(progress.training_error()))});
  } else if (begun && progress.units() > 0) {
    pieces.push_back({LinePart::kLoss, absl::StrFormat("loss %.4g", progress.loss())});
    pieces.push_back(
        {LinePart::kFit, absl::StrCat("unexplained ", Decimals(progress.fraction_variance_unexplained()))});
  } else if (begun) {
    pieces.push_back({LinePart::kFit, "classifier alone"});
  }
  if (begun) pieces.push_back({LinePart::kSpeed, absl::StrCat(HumanRate(progress.images_per_second()), " images/s")});
  if (progress.k() > 0) pieces.push_back({LinePart::kK, absl::StrCat("k ", progress.k())});
  if (progress.dead_window_rows() > 0) {
    pieces.push_back({LinePart::kDead, absl::StrCat("dead ", progress.dead_units(), "/", progress.units())});
  }
  if (progress.has_processor_share() && progress.processor_share() < kSlowed) {
    pieces.push_back(
        {LinePart::kShare, absl::StrFormat("running on %.0f%% of %d thread%s", 100 * progress.processor_share(),
                                           progress.threads(), progress.threads() == 1 ? "" : "s")});
  }
  if (progress.eta_seconds() > 0) {
    pieces.push_back({LinePart::kTimeLeft, absl::StrCat("ETA ", HumanDuration(absl::Seconds(progress.eta_seconds())))});
  }
  return pieces;
}

// Joins the pieces that are `least` or are dropped later.
std::string Join(const std::vector<Piece>& pieces, LinePart least) {
  std::string text;
  for (const Piece& piece : pieces) {
    if (piece.part >= least) absl::StrAppend(&text, text.empty() ? "" : "  ", piece.text);
  }
  return text;
}

std::string Bar(double fraction, int width) {
  const int filled = static_cast<int>(fraction * width);
  return absl::StrCat("[", std::string(filled, '#'), std::string(width - filled, '-'), "]");
}

}  // namespace

std::string ProgressText(const v1::TrainingProgress& progress) { return Join(Pieces(progress), LinePart::kK); }

std::string ProgressLine(const v1::TrainingProgress& progress, int columns) {
  const double fraction = std::clamp(progress.fraction(), 0.0, 1.0);
  const std::string percent = absl::StrFormat("%3d%%  ", static_cast<int>(fraction * 100));
  const std::vector<Piece> pieces = Pieces(progress);
  std::string line;
  for (const LinePart least : {LinePart::kK, LinePart::kSpeed, LinePart::kLoss, LinePart::kBar, LinePart::kFit,
                               LinePart::kDead, LinePart::kTimeLeft, LinePart::kShare, LinePart::kEpoch}) {
    const std::string text = percent + Join(pieces, least);
    const int room = columns - static_cast<int>(text.size());
    if (least > LinePart::kBar) {
      line = text;
      if (room >= 0) break;
      continue;
    }
    constexpr int kAroundBar = 3;
    if (room < kSmallestBar + kAroundBar) continue;
    return absl::StrCat(Bar(fraction, std::min(room - kAroundBar, kLargestBar)), " ", text);
  }
  if (static_cast<int>(line.size()) > columns) line.resize(static_cast<size_t>(std::max(columns, 0)));
  return line;
}

}  // namespace kwta::client::cli
