// Choice of the probe's hyperparameters without a look at test data.
#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/evaluation/linear_probe.h"

namespace kwta {
namespace {

// Counts epochs of several concurrent fits.
class Progress {
 public:
  Progress(double total, const std::function<absl::Status(double)>& report) : total_(total), report_(report) {}

  absl::Status Add(double amount) {
    absl::MutexLock lock(&mutex_);
    done_ += amount;
    return report_ ? report_(std::min(1.0, done_ / total_)) : absl::OkStatus();
  }

 private:
  const double total_;
  const std::function<absl::Status(double)>& report_;
  absl::Mutex mutex_;
  double done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<ChosenProbe> ChooseProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                        const ProbeGrid& grid, ThreadPool& pool,
                                        const std::function<absl::Status(double)>& progress) {
  const auto rows = static_cast<int64_t>(training.labels.size());
  if (grid.l2.empty() || grid.validation_rows < 1 || grid.validation_rows >= rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot select among ", grid.l2.size(), " values of l2 on ", grid.validation_rows, " validation rows of ", rows,
        " rows; expected at least one value and 1 .. ", rows - 1, " validation rows"));
  }
  Rng rng(grid.split_seed);
  const std::vector<uint32_t> order = RandomPermutation(rows, rng);
  const absl::Span<const uint32_t> fitted(order.data(), rows - grid.validation_rows);
  const absl::Span<const uint32_t> held_out(order.data() + fitted.size(), grid.validation_rows);

  std::vector<LinearProbeOptions> choices;
  for (const double dropout : grid.dropout.empty() ? std::vector<double>{base.dropout} : grid.dropout) {
    for (const double l2 : grid.l2) {
      choices.push_back(base);
      choices.back().dropout = dropout;
      choices.back().l2 = l2;
    }
  }
  const auto candidates = static_cast<int64_t>(choices.size());
  const int first_judged = grid.choose_epochs ? 1 : base.epochs;
  Progress counter(base.epochs * static_cast<double>(candidates), progress);
  // Errors by candidate and epoch, 2 if not judged. Each has its own place, so that the choice does not depend on which
  // candidate finishes first.
  std::vector<std::vector<double>> errors(candidates, std::vector<double>(base.epochs, 2.0));
  std::vector<absl::Status> statuses(candidates);
  pool.ParallelFor(candidates, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t c = begin; c < end; ++c) {
      statuses[c] = LinearProbe::Fit(training, fitted, choices[c], [&](int epochs_done, const LinearProbe& probe) {
                      if (epochs_done >= first_judged) {
                        errors[c][epochs_done - 1] = probe.ErrorRate(training, held_out);
                      }
                      return counter.Add(1);
                    }).status();
    }
  });
  for (const absl::Status& status : statuses) KWTA_RETURN_IF_ERROR(status);

  ChosenProbe chosen{base, 2};
  for (int64_t c = 0; c < candidates; ++c) {
    for (int epoch = 0; epoch < base.epochs; ++epoch) {
      if (errors[c][epoch] >= chosen.validation_error) continue;
      chosen = {choices[c], errors[c][epoch]};
      chosen.options.epochs = epoch + 1;
    }
  }
  return chosen;
}

absl::StatusOr<SelectedProbe> SelectProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                          const ProbeGrid& grid, ThreadPool& pool,
                                          const std::function<absl::Status(double)>& progress) {
  const size_t candidates = grid.l2.size() * std::max<size_t>(1, grid.dropout.size());
  const double choice_share = static_cast<double>(candidates) / static_cast<double>(candidates + 1);
  KWTA_ASSIGN_OR_RETURN(const ChosenProbe chosen, ChooseProbe(training, base, grid, pool, [&](double fraction) {
                          return progress ? progress(choice_share * fraction) : absl::OkStatus();
                        }));
  std::vector<uint32_t> all(training.labels.size());
  std::iota(all.begin(), all.end(), 0u);
  KWTA_ASSIGN_OR_RETURN(LinearProbe probe,
                        LinearProbe::Fit(training, all, chosen.options, [&](int epochs_done, const LinearProbe&) {
                          const double share = static_cast<double>(epochs_done) / chosen.options.epochs;
                          return progress ? progress(choice_share + (1 - choice_share) * share) : absl::OkStatus();
                        }));
  return SelectedProbe{std::move(probe), chosen.options, chosen.validation_error};
}

}  // namespace kwta
