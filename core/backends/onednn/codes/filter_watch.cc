#include "core/backends/onednn/codes/filter_watch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kwta::onednn::codes {
namespace {

// Calls before the first round of turns, how many times longer the gap becomes after each, and the longest.
constexpr int64_t kFirstGap = 4;
constexpr int64_t kGrowth = 8;
constexpr int64_t kLongestGap = 1 << 16;
// Calls of each filter in a round. One that is much slower has no further.
constexpr int kCallsOfATurn = 3;
constexpr double kMuchSlower = 1.5;
// Another filter must be this much faster to replace the one in use, because measurements vary.
constexpr double kFaster = 1.1;
// A round that meets no calls like its first gives up after so many others.
constexpr int64_t kPatience = 64;
// The weight of the last call in the recent share of rows for which the filter failed, and the change of that share
// that shows that other rows are served.
constexpr double kRecent = 1.0 / 16;
constexpr double kDifferent = 0.25;

}  // namespace

const char* FilterName(support::Filter filter) {
  switch (filter) {
    case support::Filter::kBytes:
      return "int8";
    case support::Filter::kBf16:
      return "bf16";
    default:
      return "fp32";
  }
}

FilterWatch::FilterWatch(std::vector<support::Filter> filters, support::Filter first, std::string reason)
    : filters_(std::move(filters)),
      filter_(first),
      calls_to_turns_(kFirstGap),
      reason_(std::move(reason)),
      gap_(kFirstGap) {}

std::string FilterWatch::reason() const {
  absl::MutexLock lock(&mutex_);
  return reason_;
}

support::Filter FilterWatch::Next(int64_t rows) {
  if (filters_.size() < 2 || rows < kFewestRows || calls_to_turns_.load(std::memory_order_relaxed) > 0) return filter();
  absl::MutexLock lock(&mutex_);
  if (turns_.empty()) StartTurns(rows);
  if (ClassOf(rows) != class_) {
    if (++others_ > kPatience) StartTurns(rows);
    return filter();
  }
  const Turn* due = Due();
  return due == nullptr ? filter() : due->filter;
}

void FilterWatch::StartTurns(int64_t rows) {
  class_ = ClassOf(rows);
  others_ = 0;
  turns_.clear();
  // The one in use goes first, so that the others can be compared with it at once.
  turns_.push_back({filter()});
  for (const support::Filter each : filters_) {
    if (each != filter()) turns_.push_back({each});
  }
}

FilterWatch::Turn* FilterWatch::Due() {
  const double used = turns_.front().calls > 0 ? turns_.front().seconds : INFINITY;
  Turn* due = nullptr;
  for (Turn& turn : turns_) {
    if (turn.calls == kCallsOfATurn || (turn.calls > 0 && turn.seconds > kMuchSlower * used)) continue;
    if (due == nullptr || turn.calls < due->calls) due = &turn;
  }
  return due;
}

void FilterWatch::Took(support::Filter filter, int64_t rows, int64_t left_out, double seconds) {
  if (filters_.size() < 2 || rows < kFewestRows) return;
  absl::MutexLock lock(&mutex_);
  if (filter == support::Filter::kBytes) {
    left_out_ += kRecent * (static_cast<double>(left_out) / static_cast<double>(rows) - left_out_);
    if (turns_.empty() && std::abs(left_out_ - left_out_then_) > kDifferent) {
      calls_to_turns_ = 0;
      gap_ = kFirstGap;
      left_out_then_ = left_out_;
    }
  }
  if (turns_.empty()) {
    if (calls_to_turns_ > 0) --calls_to_turns_;
    return;
  }
  if (ClassOf(rows) != class_) return;
  for (Turn& turn : turns_) {
    if (turn.filter != filter) continue;
    const double of_a_row = seconds / static_cast<double>(rows);
    turn.seconds = turn.calls == 0 ? of_a_row : std::min(turn.seconds, of_a_row);
    ++turn.calls;
  }
  if (Due() == nullptr) EndTurns();
}

void FilterWatch::EndTurns() {
  const Turn* best = &turns_.front();
  for (const Turn& turn : turns_) {
    const double wanted = best == &turns_.front() ? best->seconds / kFaster : best->seconds;
    if (turn.seconds < wanted) best = &turn;
  }
  std::string figures;
  for (const support::Filter each : filters_) {
    const auto turn = std::find_if(turns_.begin(), turns_.end(), [each](const Turn& of) { return of.filter == each; });
    absl::StrAppend(&figures, figures.empty() ? "" : ", ", FilterName(each),
                    absl::StrFormat(" %.3g us", turn->seconds * 1e6));
  }
  const bool first = changes_.load(std::memory_order_relaxed) == 0;
  const bool changed = best->filter != filter();
  filter_ = best->filter;
  reason_ = absl::StrCat("a row of those served takes ", figures);
  if (first || changed) changes_.fetch_add(1, std::memory_order_relaxed);
  turns_.clear();
  left_out_then_ = left_out_;
  gap_ = changed ? kFirstGap : std::min(gap_ * kGrowth, kLongestGap);
  calls_to_turns_ = gap_;
}

}  // namespace kwta::onednn::codes
