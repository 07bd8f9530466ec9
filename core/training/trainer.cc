#include "core/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/aligned_vector.h"
#include "core/base/divide_up.h"
#include "core/base/rng.h"
#include "core/base/seconds_since.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/training/checkpoint.h"
#include "core/training/learner_rows.h"
#include "core/training/schedules.h"

namespace kwta {
namespace {

using Clock = std::chrono::steady_clock;

// What is trained on what: everything that the result depends on, and nothing else.
std::string Fingerprint(v1::JobSpec spec, const LearnerRows& rows) {
  spec.clear_model();
  spec.mutable_training()->clear_threads();
  spec.mutable_training()->clear_checkpoint_epochs();
  return absl::StrFormat("%s %dx%d %.17g", absl::BytesToHexString(spec.SerializeAsString()), rows.rows(), rows.width(),
                         rows.squared_deviation());
}

// One call of Train.
class Run {
 public:
  Run(const v1::JobSpec& spec, const Dataset& data, LearnerRows& rows, std::shared_ptr<Backend> backend,
      const TrainerOptions& options)
      : spec_(spec),
        data_(data),
        training_(spec.training()),
        encoder_(spec.encoder()),
        rows_(rows),
        backend_(std::move(backend)),
        options_(options),
        batches_(DivideUp(rows.rows(), training_.batch_size())),
        learning_rate_(training_.learning_rate(), training_.final_learning_rate(), batches_ * training_.epochs()) {}

  absl::Status Prepare();
  absl::Status TrainEpochs();
  absl::StatusOr<ModelBundle> Finish() const;

 private:
  absl::Status Start();
  absl::Status Resume();
  absl::Status TrainEpoch();
  absl::Status TrainBatch(const uint32_t* which, int64_t rows, int64_t k);
  absl::Status WriteCheckpoint();
  EpochTotals NoTotals() const { return {0, std::vector<uint8_t>(learner_->units())}; }

  bool StopRequested() const { return options_.stop != nullptr && options_.stop->load(); }
  bool Checkpoints() const { return !options_.checkpoint_directory.empty() && training_.checkpoint_epochs() > 0; }
  int64_t EpochImagesDone() const { return std::min(state_.batches_done * training_.batch_size(), rows_.rows()); }
  int64_t ImagesDone() const { return state_.epochs_done * rows_.rows() + EpochImagesDone(); }
  double TrainSeconds() const { return state_.train_seconds + SecondsSince(started_); }
  int64_t ScheduledK() const {
    return learner_->ScheduledK(static_cast<double>(state_.epochs_done) / training_.epochs());
  }
  void Report(int64_t k, double squared_error, int64_t rows);

  const v1::JobSpec& spec_;
  const Dataset& data_;  // what rows_ are made of
  const v1::TrainingSpec& training_;
  v1::EncoderSpec encoder_;  // fitted to the rows
  LearnerRows& rows_;
  const std::shared_ptr<Backend> backend_;
  const TrainerOptions& options_;
  const int64_t batches_;  // of an epoch
  const LearningRateSchedule learning_rate_;

  std::string fingerprint_;
  std::unique_ptr<Learner> learner_;
  TrainingState state_;
  AlignedVector<float> batch_;  // [batch, width] as the learner sees it

  Clock::time_point started_ = Clock::now();
  int64_t images_at_start_ = 0;
  Clock::time_point reported_ = Clock::now();
  int64_t images_at_report_ = 0;
};

absl::Status Run::Prepare() {
  if (rows_.rows() < training_.batch_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the data have ", rows_.rows(), " rows but training.batch_size is ", training_.batch_size(),
                     "; give more rows or take a batch_size of 1 .. ", std::max<int64_t>(rows_.rows(), 1)));
  }
  KWTA_RETURN_IF_ERROR(FitEncoder(&encoder_, rows_.shape()));
  if (rows_.squared_deviation() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("all ", rows_.rows(), " rows of the data are the same; there is nothing to learn from them"));
  }
  batch_.resize(training_.batch_size() * rows_.width());
  KWTA_RETURN_IF_ERROR(Start());
  if (Checkpoints()) KWTA_RETURN_IF_ERROR(Resume());
  images_at_start_ = images_at_report_ = ImagesDone();
  return absl::OkStatus();
}

absl::Status Run::Start() {
  KWTA_ASSIGN_OR_RETURN(learner_, CreateLearner(encoder_, rows_.shape(), training_, backend_, rows_.mean()));
  state_ = TrainingState();
  state_.epoch = NoTotals();
  state_.last_epoch = NoTotals();
  return absl::OkStatus();
}

absl::Status Run::Resume() {
  fingerprint_ = Fingerprint(spec_, rows_);
  KWTA_ASSIGN_OR_RETURN(std::optional<TrainingCheckpoint> saved,
                        LoadCheckpoint(options_.checkpoint_directory, fingerprint_));
  if (!saved.has_value()) return absl::OkStatus();
  const TrainingState& state = saved->state;
  const size_t units = learner_->units();
  if (state.epochs_done > training_.epochs() || state.batches_done < 0 || state.batches_done > batches_ ||
      state.epoch.unit_was_active.size() != units || state.last_epoch.unit_was_active.size() != units) {
    return absl::OkStatus();
  }
  const absl::Status restored = learner_->Restore(saved->learner);
  // As for a corrupt file; the learner may have taken a part of it.
  if (absl::IsDataLoss(restored)) return Start();
  KWTA_RETURN_IF_ERROR(restored);
  state_ = std::move(saved->state);
  return absl::OkStatus();
}

absl::Status Run::TrainEpochs() {
  while (state_.epochs_done < training_.epochs()) {
    KWTA_RETURN_IF_ERROR(TrainEpoch());
    KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
    const int64_t k = ScheduledK();
    state_.last_epoch = std::exchange(state_.epoch, NoTotals());
    state_.batches_done = 0;
    ++state_.epochs_done;
    const bool last = state_.epochs_done == training_.epochs();
    if (Checkpoints() && (last || state_.epochs_done % training_.checkpoint_epochs() == 0)) {
      KWTA_RETURN_IF_ERROR(WriteCheckpoint());
    }
    Report(k, state_.last_epoch.squared_error, rows_.rows());
  }
  return absl::OkStatus();
}

absl::Status Run::TrainEpoch() {
  Rng rng(training_.seed(), state_.epochs_done);
  const std::vector<uint32_t> order = RandomPermutation(rows_.rows(), rng);
  const int64_t k = ScheduledK();
  while (state_.batches_done < batches_) {
    if (StopRequested()) {
      KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
      if (Checkpoints()) KWTA_RETURN_IF_ERROR(WriteCheckpoint());
      return absl::CancelledError(
          absl::StrCat("training was stopped in epoch ", state_.epochs_done + 1, " of ", training_.epochs()));
    }
    const int64_t begin = EpochImagesDone();
    KWTA_RETURN_IF_ERROR(
        TrainBatch(order.data() + begin, std::min<int64_t>(training_.batch_size(), rows_.rows() - begin), k));
    ++state_.batches_done;
    if (state_.batches_done < batches_ && SecondsSince(reported_) >= options_.report_seconds) {
      Report(k, state_.epoch.squared_error, EpochImagesDone());
    }
  }
  return absl::OkStatus();
}

absl::Status Run::TrainBatch(const uint32_t* which, int64_t rows, int64_t k) {
  KWTA_RETURN_IF_ERROR(rows_.Gather(which, rows, batch_.data()));
  StepOptions step;
  step.k = k;
  step.learning_rate = static_cast<float>(learning_rate_.At(state_.epochs_done * batches_ + state_.batches_done));
  step.momentum = training_.momentum();
  KWTA_ASSIGN_OR_RETURN(const StepStatistics statistics, learner_->Step(batch_.data(), rows, step));
  state_.epoch.squared_error += statistics.squared_error;
  const int32_t* active_rows = learner_->active_rows();
  for (int64_t h = 0; h < learner_->units(); ++h) state_.epoch.unit_was_active[h] |= active_rows[h] > 0;
  return absl::OkStatus();
}

absl::Status Run::WriteCheckpoint() {
  TrainingCheckpoint checkpoint{state_, {}};
  checkpoint.state.train_seconds = TrainSeconds();
  KWTA_ASSIGN_OR_RETURN(checkpoint.learner, learner_->Checkpoint());
  return SaveCheckpoint(options_.checkpoint_directory, fingerprint_, std::move(checkpoint));
}

void Run::Report(int64_t k, double squared_error, int64_t rows) {
  if (!options_.report) return;
  const int64_t images = ImagesDone();
  const int64_t all_images = rows_.rows() * training_.epochs();
  const double seconds = SecondsSince(reported_);
  const bool has_epoch = state_.epochs_done > 0;
  v1::TrainingProgress progress;
  progress.set_epochs_done(state_.epochs_done);
  progress.set_epochs(training_.epochs());
  progress.set_fraction(static_cast<double>(images) / static_cast<double>(all_images));
  progress.set_loss(squared_error / static_cast<double>(rows));
  progress.set_fraction_variance_unexplained(progress.loss() /
                                             (rows_.squared_deviation() / static_cast<double>(rows_.rows())));
  progress.set_images_per_second(seconds > 0 ? static_cast<double>(images - images_at_report_) / seconds : 0);
  progress.set_k(static_cast<uint32_t>(k));
  progress.set_dead_units(has_epoch ? state_.last_epoch.DeadUnits() : 0);
  progress.set_units(learner_->units());
  progress.set_dead_window_rows(has_epoch ? rows_.rows() : 0);
  const int64_t update = state_.epochs_done * batches_ + state_.batches_done;
  progress.set_learning_rate(learning_rate_.At(std::max<int64_t>(update - 1, 0)));
  progress.set_eta_seconds(SecondsSince(started_) * static_cast<double>(all_images - images) /
                           static_cast<double>(images - images_at_start_));
  progress.set_images_done(images);
  for (const std::string& warning : rows_.warnings()) progress.add_warnings(warning);
  reported_ = Clock::now();
  images_at_report_ = images;
  options_.report(progress);
}

absl::StatusOr<ModelBundle> Run::Finish() const {
  ModelBundle bundle;
  KWTA_ASSIGN_OR_RETURN(bundle.tensors, learner_->Parameters());
  rows_.Describe(&bundle);
  v1::ModelDescription& description = bundle.description;
  description.set_format(1);
  description.set_name(spec_.model());
  description.set_code_width(static_cast<uint32_t>(rows_.views() * learner_->code_width()));
  *description.mutable_encoder() = encoder_;
  *description.mutable_training() = training_;
  *description.mutable_dataset() = spec_.dataset();
  description.set_backend(backend_->name());

  v1::TrainingStatistics& statistics = *description.mutable_statistics();
  const double seconds = TrainSeconds();
  statistics.set_loss(state_.last_epoch.squared_error / static_cast<double>(rows_.rows()));
  statistics.set_fraction_variance_unexplained(state_.last_epoch.squared_error / rows_.squared_deviation());
  statistics.set_dead_units(state_.last_epoch.DeadUnits());
  statistics.set_dead_window_rows(rows_.rows());
  statistics.set_images_per_second(static_cast<double>(ImagesDone()) / seconds);
  statistics.set_train_seconds(seconds);
  statistics.set_training_rows(rows_.rows());
  return bundle;
}

absl::StatusOr<ModelBundle> TrainOnRows(const v1::JobSpec& spec, const Dataset& data, LearnerRows& rows,
                                        std::shared_ptr<Backend> backend, const TrainerOptions& options) {
  Run run(spec, data, rows, std::move(backend), options);
  KWTA_RETURN_IF_ERROR(run.Prepare());
  KWTA_RETURN_IF_ERROR(run.TrainEpochs());
  return run.Finish();
}

}  // namespace

absl::StatusOr<ModelBundle> Train(const v1::JobSpec& spec, const Dataset& data, std::shared_ptr<Backend> backend,
                                  const TrainerOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<LearnerRows> rows,
                        PreprocessedRows(spec.preprocessing(), data, *backend, options.checkpoint_directory));
  return TrainOnRows(spec, data, *rows, std::move(backend), options);
}

absl::StatusOr<ModelBundle> TrainOnBase(const v1::JobSpec& spec, ModelBundle base, const Dataset& data,
                                        std::shared_ptr<Backend> backend, const TrainerOptions& options) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, CreateEncoder(base, backend));
  CodeRowsOptions code_options;
  code_options.directory = options.checkpoint_directory;
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<LearnerRows> rows,
                        CodeRows(data, std::move(encoder), CodeShape(base.description), code_options));
  KWTA_ASSIGN_OR_RETURN(ModelBundle layer, TrainOnRows(spec, data, *rows, std::move(backend), options));
  return PutOnBase(std::move(base), std::move(layer));
}

}  // namespace kwta
