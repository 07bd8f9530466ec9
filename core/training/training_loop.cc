#include "core/training/training_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/cpu.h"
#include "core/base/divide_up.h"
#include "core/base/processor_share.h"
#include "core/base/rng.h"
#include "core/base/seconds_since.h"
#include "core/base/status_macros.h"
#include "core/training/checkpoint.h"

namespace kwta {
namespace {

using LoopClock = std::chrono::steady_clock;

// Factors by which a loss must exceed its reference before the run counts as diverged: the first at the end, when no
// later epoch can mend it, the second before that.
constexpr double kWorse = 2, kMuchWorse = 10;

// A mean over fewer rows may be large because some of them are hard.
constexpr int64_t kJudgedRows = 1000;

// Identifies everything that the result depends on, and nothing else.
std::string Fingerprint(v1::JobSpec spec, const Trainee& trainee) {
  spec.clear_model();
  spec.mutable_training()->clear_threads();
  spec.mutable_training()->clear_checkpoint_epochs();
  return absl::StrCat(absl::BytesToHexString(spec.SerializeAsString()), " ", trainee.DataFingerprint());
}

// One call of RunTrainingLoop.
class TrainingLoop {
 public:
  TrainingLoop(const v1::JobSpec& spec, const Dataset& data, Trainee& trainee, const TrainingControl& control)
      : spec_(spec),
        data_(data),
        training_(spec.training()),
        trainee_(trainee),
        control_(control),
        rows_(trainee.rows()),
        epochs_(trainee.epochs()),
        batches_(DivideUp(rows_, training_.batch_size())),
        warnings_(trainee.warnings()) {}

  absl::Status Prepare();
  absl::Status TrainEpochs();
  absl::StatusOr<ModelBundle> Finish();

 private:
  // A moment of the run from which to measure its speed.
  struct Mark {
    LoopClock::time_point time = LoopClock::now();
    int64_t images = 0;
  };

  absl::Status StartAnew();
  // Returns true if the run resumes from its checkpoint.
  absl::StatusOr<bool> Resume();
  absl::Status Restore(TrainingCheckpoint checkpoint);
  absl::Status TrainEpoch();
  // Brings the epoch's totals up to date. Call it before reading them.
  absl::Status TakeLosses();
  absl::Status EndEpoch();
  // Checks whether training has diverged although everything is finite: in the epoch just done, and in the finished
  // model.
  absl::Status JudgeEpoch();
  absl::Status JudgeEnd();
  // The loss before anything is learnt. It may exceed that of predicting the mean if rows are far from zero.
  double Unlearnt() const { return std::max(trainee_.baseline().loss, state_.first_loss); }
  std::string NotFinite() const {
    return absl::StrCat("training has diverged: the ", trainee_.loss_name(), " of a batch is not finite");
  }
  absl::Status Exploded(absl::string_view what, double loss) const;
  absl::Status WriteCheckpoint();
  // FAILED_PRECONDITION with `cause`, the update, and a remedy.
  absl::Status Diverged(absl::string_view cause, int64_t update) const;
  EpochTotals NoTotals() const { return {0, 0, std::vector<uint8_t>(trainee_.units())}; }

  bool StopRequested() const { return control_.stop != nullptr && control_.stop->load(); }
  bool HasCheckpoints() const { return !control_.checkpoint_directory.empty() && training_.checkpoint_epochs() > 0; }
  int64_t FirstBatchRows() const { return std::min<int64_t>(training_.batch_size(), rows_); }
  int64_t EpochRowsDone() const { return std::min<int64_t>(state_.batches_done * training_.batch_size(), rows_); }
  int64_t EpochsDone() const { return trainee_.epochs_before() + state_.epochs_done; }  // of the whole run
  int64_t UpdatesDone() const { return state_.epochs_done * batches_ + state_.batches_done; }
  double TrainSeconds() const { return state_.train_seconds + SecondsSince(started_); }
  Mark Now() const { return {LoopClock::now(), EpochsDone() * rows_ + EpochRowsDone()}; }

  // The fields that every report has.
  v1::TrainingProgress Progress(int64_t epochs_done, int64_t images);
  void Report(const EpochReport& report);
  absl::Status AfterEpochBefore(int64_t epochs_done);

  const v1::JobSpec& spec_;
  const Dataset& data_;
  const v1::TrainingSpec& training_;
  Trainee& trainee_;
  const TrainingControl& control_;
  const int64_t rows_, epochs_;
  const int64_t batches_;  // in an epoch
  std::vector<std::string> warnings_;

  std::string fingerprint_;
  TrainingState state_;

  const LoopClock::time_point started_ = LoopClock::now();
  LoopClock::time_point checkpointed_ = started_;  // the last checkpoint of this run, or its start
  Mark pace_;                                      // since when epochs have taken their current time
  Mark reported_;                                  // the last report
  ProcessorShare processors_;                      // since the last report
};

absl::Status TrainingLoop::Prepare() {
  KWTA_RETURN_IF_ERROR(StartAnew());
  bool resumed = false;
  if (HasCheckpoints()) {
    fingerprint_ = Fingerprint(spec_, trainee_);
    KWTA_ASSIGN_OR_RETURN(resumed, Resume());
  }
  if (!resumed) {
    KWTA_RETURN_IF_ERROR(trainee_.Begin([this](int64_t epochs_done) { return AfterEpochBefore(epochs_done); }));
  }
  pace_ = reported_ = Now();
  return absl::OkStatus();
}

absl::Status TrainingLoop::StartAnew() {
  KWTA_RETURN_IF_ERROR(trainee_.Reset());
  state_ = TrainingState();
  state_.epoch = NoTotals();
  state_.last_epoch = NoTotals();
  return absl::OkStatus();
}

absl::StatusOr<bool> TrainingLoop::Resume() {
  absl::StatusOr<TrainingCheckpoint> saved = LoadCheckpoint(control_.checkpoint_directory, fingerprint_);
  if (absl::IsNotFound(saved.status())) return false;
  const absl::Status restored = saved.ok() ? Restore(*std::move(saved)) : saved.status();
  if (restored.ok()) return true;
  // A checkpoint only saves time: ignoring a bad one costs that time again, whereas failing would cost the job.
  if (!absl::IsDataLoss(restored) && !absl::IsFailedPrecondition(restored)) return restored;
  warnings_.push_back(absl::StrCat("training starts anew: ", restored.message()));
  KWTA_RETURN_IF_ERROR(StartAnew());
  return false;
}

absl::Status TrainingLoop::Restore(TrainingCheckpoint checkpoint) {
  const TrainingState& state = checkpoint.state;
  const auto units = static_cast<size_t>(trainee_.units());
  if (state.epochs_done > epochs_ || state.batches_done < 0 || state.batches_done > batches_ ||
      state.epoch.unit_was_active.size() != units || state.last_epoch.unit_was_active.size() != units) {
    return absl::DataLossError("the checkpoint stands where this training never does");
  }
  KWTA_RETURN_IF_ERROR(trainee_.Restore(checkpoint.trainee));
  state_ = std::move(checkpoint.state);
  return absl::OkStatus();
}

absl::Status TrainingLoop::TrainEpochs() {
  while (state_.epochs_done < epochs_) {
    if (trainee_.ChangesPace(state_.epochs_done)) pace_ = Now();
    KWTA_RETURN_IF_ERROR(TrainEpoch());
    KWTA_RETURN_IF_ERROR(TakeLosses());
    KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
    KWTA_RETURN_IF_ERROR(EndEpoch());
  }
  return absl::OkStatus();
}

absl::Status TrainingLoop::TrainEpoch() {
  Rng rng(training_.seed(), trainee_.OrderStream(state_.epochs_done));
  const std::vector<uint32_t> order = RandomPermutation(rows_, rng);
  while (state_.batches_done < batches_) {
    if (StopRequested()) {
      KWTA_RETURN_IF_ERROR(TakeLosses());
      KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
      if (HasCheckpoints()) KWTA_RETURN_IF_ERROR(WriteCheckpoint());
      return absl::CancelledError(
          absl::StrCat("training was stopped in epoch ", trainee_.EpochName(state_.epochs_done)));
    }
    const int64_t begin = EpochRowsDone();
    TrainingBatch batch;
    batch.which = order.data() + begin;
    batch.rows = std::min<int64_t>(training_.batch_size(), rows_ - begin);
    batch.epoch = state_.epochs_done;
    batch.update = UpdatesDone();
    const absl::Status updated = trainee_.Update(batch);
    if (absl::IsFailedPrecondition(updated)) return Diverged(updated.message(), batch.update);
    KWTA_RETURN_IF_ERROR(updated);
    ++state_.batches_done;
    if (state_.batches_done < batches_ && SecondsSince(reported_.time) >= control_.report_seconds) {
      KWTA_RETURN_IF_ERROR(TakeLosses());
      Report({state_.epochs_done, EpochRowsDone(), &state_.epoch});
    }
  }
  return absl::OkStatus();
}

absl::Status TrainingLoop::TakeLosses() {
  KWTA_ASSIGN_OR_RETURN(const std::vector<double> losses, trainee_.TakeLosses(&state_.epoch));
  const int64_t first = UpdatesDone() - static_cast<int64_t>(losses.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) return Diverged(NotFinite(), first + static_cast<int64_t>(i));
    if (state_.first_loss < 0) state_.first_loss = losses[i] / static_cast<double>(FirstBatchRows());
    state_.epoch.loss += losses[i];
  }
  return absl::OkStatus();
}

absl::Status TrainingLoop::EndEpoch() {
  const int64_t epoch = state_.epochs_done;
  state_.last_epoch = std::exchange(state_.epoch, NoTotals());
  state_.batches_done = 0;
  ++state_.epochs_done;
  KWTA_RETURN_IF_ERROR(JudgeEpoch());
  const bool last = state_.epochs_done == epochs_;
  if (last) {
    for (std::string& warning : trainee_.FinalWarnings(state_.last_epoch)) warnings_.push_back(std::move(warning));
  }
  if (HasCheckpoints() && (last || state_.epochs_done % training_.checkpoint_epochs() == 0)) {
    KWTA_RETURN_IF_ERROR(WriteCheckpoint());
  }
  Report({epoch, rows_, &state_.last_epoch});
  return absl::OkStatus();
}

absl::Status TrainingLoop::JudgeEpoch() {
  const double loss = state_.last_epoch.loss / static_cast<double>(rows_);
  const double least = state_.least_loss;
  state_.least_loss = least < 0 ? loss : std::min(least, loss);
  const double factor = state_.epochs_done == epochs_ ? kWorse : kMuchWorse;
  if (loss > factor * Unlearnt()) return Exploded("the mean loss of the epoch", loss);
  // A loss that was never below the baseline may swing: momentum overshoots where rows are far from zero, and rounding
  // moves a loss whose baseline is almost nothing.
  const double baseline = trainee_.baseline().loss;
  if (least < 0 || least > baseline || loss <= baseline || loss <= factor * least) return absl::OkStatus();
  return Exploded(absl::StrCat("the mean loss of an epoch has risen from ", least, " and"), loss);
}

absl::Status TrainingLoop::JudgeEnd() {
  // The loss of an update is measured before it, so one more update shows the effect of the last one. More follow, as
  // small as the last one, only if that batch is so bad that it may consist of hard rows.
  Rng rng(training_.seed(), trainee_.OrderStream(epochs_));
  const std::vector<uint32_t> order = RandomPermutation(rows_, rng);
  EpochTotals totals = NoTotals();
  double sum = 0, loss = 0;
  for (int64_t judged = 0; judged < std::min(rows_, kJudgedRows);) {
    TrainingBatch batch;
    batch.which = order.data() + judged;
    batch.rows = std::min<int64_t>(training_.batch_size(), rows_ - judged);
    batch.epoch = epochs_ - 1;
    batch.update = UpdatesDone() - 1;
    const absl::Status updated = trainee_.Update(batch);
    if (absl::IsFailedPrecondition(updated)) return Diverged(updated.message(), batch.update);
    KWTA_RETURN_IF_ERROR(updated);
    KWTA_ASSIGN_OR_RETURN(const std::vector<double> losses, trainee_.TakeLosses(&totals));
    sum += losses.at(0);
    judged += batch.rows;
    loss = sum / static_cast<double>(judged);
    if (!std::isfinite(loss)) return Diverged(NotFinite(), batch.update);
    if (loss <= kMuchWorse * Unlearnt()) return absl::OkStatus();
  }
  return Exploded("the mean loss of a batch after the last update", loss);
}

absl::Status TrainingLoop::Exploded(absl::string_view what, double loss) const {
  const Baseline baseline = trainee_.baseline();
  return Diverged(
      absl::StrCat("training has diverged: ", what, " is ", loss, ", where ", baseline.name, " leaves ", baseline.loss),
      UpdatesDone() - 1);
}

absl::Status TrainingLoop::WriteCheckpoint() {
  TrainingCheckpoint checkpoint{state_, {}};
  checkpoint.state.train_seconds = TrainSeconds();
  KWTA_ASSIGN_OR_RETURN(checkpoint.trainee, trainee_.Checkpoint());
  KWTA_RETURN_IF_ERROR(SaveCheckpoint(control_.checkpoint_directory, fingerprint_, std::move(checkpoint)));
  checkpointed_ = LoopClock::now();
  return absl::OkStatus();
}

absl::Status TrainingLoop::Diverged(absl::string_view cause, int64_t update) const {
  std::vector<std::string> causes = trainee_.other_causes();
  causes.insert(causes.begin(), absl::StrCat("training.learning_rate from ", training_.learning_rate()));
  return absl::FailedPreconditionError(
      absl::StrCat(cause, ", in epoch ", trainee_.EpochName(update / batches_), ", update ", update % batches_ + 1,
                   " of ", batches_, ", at a learning rate of ", trainee_.LearningRate(update), "; lower ",
                   absl::StrJoin(causes, " or "), " (a tenth is a good next try)"));
}

v1::TrainingProgress TrainingLoop::Progress(int64_t epochs_done, int64_t images) {
  const int64_t epochs = trainee_.epochs_before() + epochs_;
  const double seconds = SecondsSince(reported_.time);
  v1::TrainingProgress progress;
  progress.set_epochs_done(static_cast<uint32_t>(epochs_done));
  progress.set_epochs(static_cast<uint32_t>(epochs));
  progress.set_fraction(static_cast<double>(images) / static_cast<double>(epochs * rows_));
  progress.set_images_per_second(seconds > 0 ? static_cast<double>(images - reported_.images) / seconds : 0);
  progress.set_images_done(images);
  progress.set_seconds_since_checkpoint(SecondsSince(checkpointed_));
  if (const std::optional<double> share = processors_.Take()) progress.set_processor_share(*share);
  progress.set_threads(static_cast<uint32_t>(ResolveThreads(static_cast<int>(training_.threads()))));
  for (const std::string& warning : warnings_) progress.add_warnings(warning);
  return progress;
}

absl::Status TrainingLoop::AfterEpochBefore(int64_t epochs_done) {
  if (StopRequested()) {
    return absl::CancelledError(absl::StrCat("training was stopped after epoch ", epochs_done, " of the ",
                                             trainee_.epochs_before(), " that come before its checkpoints"));
  }
  const int64_t images = epochs_done * rows_;
  if (control_.report) control_.report(Progress(epochs_done, images));
  reported_ = {LoopClock::now(), images};
  return absl::OkStatus();
}

void TrainingLoop::Report(const EpochReport& report) {
  const Mark now = Now();
  if (control_.report) {
    v1::TrainingProgress progress = Progress(EpochsDone(), now.images);
    progress.set_learning_rate(trainee_.LearningRate(std::max<int64_t>(UpdatesDone() - 1, 0)));
    const int64_t left = (trainee_.epochs_before() + epochs_) * rows_ - now.images;
    progress.set_eta_seconds(SecondsSince(pace_.time) * static_cast<double>(left) /
                             static_cast<double>(now.images - pace_.images));
    trainee_.Describe(report, state_.epochs_done > 0 ? &state_.last_epoch : nullptr, &progress);
    control_.report(progress);
  }
  reported_ = now;
}

absl::StatusOr<ModelBundle> TrainingLoop::Finish() {
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, trainee_.Finish(state_.last_epoch));
  for (const auto& [name, tensor] : bundle.tensors) {
    if (!FindNonFinite(tensor.rows()).has_value()) continue;
    return Diverged(absl::StrCat("training has diverged: \"", name, "\" of the model is not finite"),
                    UpdatesDone() - 1);
  }
  const double seconds = TrainSeconds();
  KWTA_RETURN_IF_ERROR(JudgeEnd());
  v1::TrainingStatistics& statistics = *bundle.description.mutable_statistics();
  statistics.set_loss(state_.last_epoch.loss / static_cast<double>(rows_));
  statistics.set_images_per_second(static_cast<double>(state_.epochs_done * rows_) / seconds);
  statistics.set_train_seconds(seconds);
  statistics.set_training_rows(rows_);
  return bundle;
}

}  // namespace

absl::StatusOr<ModelBundle> RunTrainingLoop(const v1::JobSpec& spec, const Dataset& data, Trainee& trainee,
                                            const TrainingControl& control) {
  TrainingLoop loop(spec, data, trainee, control);
  KWTA_RETURN_IF_ERROR(loop.Prepare());
  KWTA_RETURN_IF_ERROR(loop.TrainEpochs());
  return loop.Finish();
}

}  // namespace kwta
