#include "core/training/layer_trainee.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/aligned_vector.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"
#include "core/encoders/encoder_registry.h"
#include "core/training/dead_units.h"
#include "core/training/job_spec.h"
#include "core/training/schedules.h"

namespace kwta {
namespace {

// After an update that measured its gradient, this many times its time passes before the next one that does.
constexpr double kMeasuringRest = 200;

// The mean variance of elements below which they are small beside noise and initial weights.
constexpr double kSmallVariance = 1e-3;

class LayerTrainee : public Trainee {
 public:
  // `encoder` is spec.encoder, fitted to the rows.
  LayerTrainee(const v1::JobSpec& spec, v1::EncoderSpec encoder, LearnerRows& rows, std::shared_ptr<Backend> backend)
      : training_(spec.training()),
        encoder_(std::move(encoder)),
        could_subtract_mean_(!spec.has_base() && CouldSubtractMean(encoder_, spec.preprocessing())),
        rows_(rows),
        backend_(std::move(backend)),
        learning_rate_(training_.learning_rate(), training_.final_learning_rate(),
                       DivideUp(rows.rows(), training_.batch_size()) * training_.epochs()),
        batch_(training_.batch_size() * rows.width()) {}

  int64_t rows() const override { return rows_.rows(); }
  int64_t units() const override { return learner_ == nullptr ? 0 : learner_->units(); }
  int64_t epochs() const override { return training_.epochs(); }
  uint64_t OrderStream(int64_t epoch) const override { return epoch; }
  double LearningRate(int64_t update) const override { return learning_rate_.At(update); }
  std::string EpochName(int64_t epoch) const override { return absl::StrCat(epoch + 1, " of ", epochs()); }
  std::string DataFingerprint() const override {
    return absl::StrFormat("%dx%d %.17g", rows_.rows(), rows_.width(), rows_.squared_deviation());
  }
  Baseline baseline() const override {
    return {rows_.squared_deviation() / static_cast<double>(rows_.rows()), "predicting the mean of the rows"};
  }
  std::vector<std::string> warnings() const override;
  std::vector<std::string> FinalWarnings(const EpochTotals& last_epoch) const override;

  absl::Status Reset() override {
    KWTA_ASSIGN_OR_RETURN(learner_,
                          CreateLearner(encoder_, rows_.shape(), training_, backend_, rows_.mean(), rows_.offset()));
    return absl::OkStatus();
  }
  absl::Status Update(const TrainingBatch& batch) override;
  absl::StatusOr<std::vector<double>> TakeLosses(EpochTotals* totals) override;
  std::vector<std::string> other_causes() const override { return StrongSettings(encoder_); }
  const char* loss_name() const override { return "squared error"; }
  absl::StatusOr<TensorMap> Checkpoint() const override { return learner_->Checkpoint(); }
  absl::Status Restore(const TensorMap& state) override { return learner_->Restore(state); }
  void Describe(const EpochReport& report, const EpochTotals* last_epoch,
                v1::TrainingProgress* progress) const override;
  absl::StatusOr<ModelBundle> Finish(const EpochTotals& last_epoch) override;

 private:
  // What may help where reconstructions are bad, besides another rate.
  std::vector<std::string> Remedies() const;
  int64_t ScheduledK(int64_t epoch) const {
    return learner_->ScheduledK(static_cast<double>(epoch) / static_cast<double>(epochs()));
  }

  const v1::TrainingSpec& training_;
  const v1::EncoderSpec encoder_;
  const bool could_subtract_mean_;
  LearnerRows& rows_;
  const std::shared_ptr<Backend> backend_;
  const LearningRateSchedule learning_rate_;
  std::unique_ptr<Learner> learner_;
  AlignedVector<float> batch_;  // [batch, width] as the learner sees it

  SteadyTime measure_gradient_at_;  // not before
  std::optional<double> gradient_norm_;
};

std::vector<std::string> LayerTrainee::warnings() const {
  std::vector<std::string> warnings = rows_.warnings();
  std::string advice = TrainingAdvice(encoder_);
  if (!advice.empty()) warnings.push_back(std::move(advice));
  return warnings;
}

absl::Status LayerTrainee::Update(const TrainingBatch& batch) {
  KWTA_RETURN_IF_ERROR(rows_.Gather(batch.which, batch.rows, batch_.data()));
  StepOptions step;
  step.k = ScheduledK(batch.epoch);
  step.learning_rate = static_cast<float>(learning_rate_.At(batch.update));
  step.momentum = training_.momentum();
  const SteadyTime start = SteadyTime::Now();
  step.measure_gradient = step.learning_rate > 0 && start >= measure_gradient_at_;
  KWTA_RETURN_IF_ERROR(learner_->Step(batch_.data(), batch.rows, step));
  if (step.measure_gradient) {
    const SteadyTime end = SteadyTime::Now();
    measure_gradient_at_ = end + kMeasuringRest * (end - start);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> LayerTrainee::TakeLosses(EpochTotals* totals) {
  KWTA_ASSIGN_OR_RETURN(StepStatistics statistics, learner_->TakeStatistics());
  for (int64_t unit = 0; unit < learner_->units(); ++unit) {
    totals->unit_was_active[unit] |= statistics.active_rows[unit] > 0;
  }
  if (statistics.gradient_norm.has_value()) gradient_norm_ = statistics.gradient_norm;
  return std::move(statistics.squared_errors);
}

void LayerTrainee::Describe(const EpochReport& report, const EpochTotals* last_epoch,
                            v1::TrainingProgress* progress) const {
  progress->set_loss(report.totals->loss / static_cast<double>(report.rows));
  progress->set_fraction_variance_unexplained(progress->loss() /
                                              (rows_.squared_deviation() / static_cast<double>(rows_.rows())));
  progress->set_k(static_cast<uint32_t>(ScheduledK(report.epoch)));
  progress->set_units(units());
  if (gradient_norm_.has_value()) progress->set_gradient_norm(*gradient_norm_);
  if (last_epoch == nullptr) return;
  progress->set_dead_units(last_epoch->DeadUnits());
  progress->set_dead_window_rows(rows_.rows());
}

std::vector<std::string> LayerTrainee::FinalWarnings(const EpochTotals& last_epoch) const {
  std::vector<std::string> warnings;
  std::string dead = DeadUnitsWarning(last_epoch.DeadUnits(), units(), encoder_, could_subtract_mean_);
  if (!dead.empty()) warnings.push_back(std::move(dead));
  if (last_epoch.loss > rows_.squared_deviation()) {
    warnings.push_back(absl::StrCat(
        "reconstructions are worse than the mean of the rows (", last_epoch.loss / rows_.squared_deviation(),
        " of the variance unexplained): ", absl::StrJoin(Remedies(), ", "), ", or take another learning rate"));
  }
  return warnings;
}

std::vector<std::string> LayerTrainee::Remedies() const {
  std::vector<std::string> remedies;
  const double variance =
      rows_.squared_deviation() / (static_cast<double>(rows_.rows()) * static_cast<double>(rows_.width()));
  if (variance < kSmallVariance) {
    remedies.push_back(absl::StrCat("scale the rows (their elements have a variance of ", variance,
                                    "; defaults of rates, noise and weights are for about 1)"));
  }
  remedies.emplace_back("train for more epochs");
  if (could_subtract_mean_) remedies.emplace_back("subtract the mean");
  for (const std::string& setting : StrongSettings(encoder_)) remedies.push_back(absl::StrCat("lower ", setting));
  return remedies;
}

absl::StatusOr<ModelBundle> LayerTrainee::Finish(const EpochTotals& last_epoch) {
  ModelBundle bundle;
  KWTA_ASSIGN_OR_RETURN(bundle.tensors, learner_->Parameters());
  rows_.Describe(&bundle);
  bundle.description.set_format(kModelBundleFormat);
  bundle.description.set_code_width(static_cast<uint32_t>(rows_.views() * learner_->code_width()));
  *bundle.description.mutable_encoder() = encoder_;
  v1::TrainingStatistics& statistics = *bundle.description.mutable_statistics();
  statistics.set_fraction_variance_unexplained(last_epoch.loss / rows_.squared_deviation());
  statistics.set_dead_units(last_epoch.DeadUnits());
  statistics.set_dead_window_rows(rows_.rows());
  KWTA_RETURN_IF_ERROR(learner_->Describe(&statistics));
  return bundle;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainee>> CreateLayerTrainee(const v1::JobSpec& spec, LearnerRows& rows,
                                                            std::shared_ptr<Backend> backend) {
  KWTA_RETURN_IF_ERROR(CheckBatchIsFilled(rows.rows(), spec.training()));
  v1::EncoderSpec encoder = spec.encoder();
  KWTA_RETURN_IF_ERROR(FitEncoder(&encoder, rows.shape()));
  if (rows.squared_deviation() == 0) {
    return absl::InvalidArgumentError(
        rows.rows() == 1
            ? "the data have a single row; there is nothing to learn from it"
            : absl::StrCat("all ", rows.rows(), " rows of the data are the same; there is nothing to learn from them"));
  }
  return std::make_unique<LayerTrainee>(spec, std::move(encoder), rows, std::move(backend));
}

}  // namespace kwta
