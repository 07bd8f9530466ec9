#include "core/training/fine_tuning/fine_tuning_job.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/training/batch_limits.h"
#include "core/training/fine_tuning/fine_tuning.h"

namespace kwta {
namespace {

constexpr float kLearningRate = 0.02f;
constexpr uint32_t kMaxClassifierEpochs = 10'000;
constexpr uint32_t kMaxShift = 65'535;

FineTuningOptions OptionsOf(const v1::JobSpec& spec) {
  const v1::TrainingSpec& training = spec.training();
  const v1::FineTuningSpec& tuning = spec.fine_tuning();
  FineTuningOptions options;
  options.epochs = static_cast<int>(training.epochs());
  options.batch_size = static_cast<int>(training.batch_size());
  options.learning_rate = training.learning_rate();
  options.momentum = training.momentum();
  options.seed = training.seed();
  options.probe.seed = training.seed();
  options.probe.epochs = options.probe.schedule_epochs = static_cast<int>(tuning.classifier_epochs());
  options.classifier_rate = tuning.classifier_rate();
  options.encoder_l2 = tuning.encoder_l2();
  options.classifier_l2 = tuning.classifier_l2();
  options.input_dropout = tuning.input_dropout();
  options.code_dropout = tuning.code_dropout();
  options.adversarial_length = tuning.adversarial_length();
  options.max_shift = static_cast<int>(tuning.max_shift());
  return options;
}

// Reports of fine-tuning as those of a job.
class ProgressWriter {
 public:
  // `rows` of the data, which the classifier alone sees classifier_epochs times.
  ProgressWriter(int64_t rows, int64_t classifier_epochs) : rows_(rows), classifier_rows_(classifier_epochs * rows) {}

  v1::TrainingProgress Write(const FineTuningProgress& now) {
    v1::TrainingProgress progress;
    progress.set_epochs_done(static_cast<uint32_t>(now.all_epochs_done));
    progress.set_epochs(static_cast<uint32_t>(now.all_epochs));
    progress.set_fraction(now.fraction);
    progress.set_images_done(static_cast<uint64_t>(now.rows_done));
    if (now.seconds > last_.seconds) {
      progress.set_images_per_second(static_cast<double>(now.rows_done - last_.rows_done) /
                                     (now.seconds - last_.seconds));
    }
    // Each step takes longer than the one before, the classifier's own next to nothing.
    if (now.step != step_start_.step) step_start_ = last_.step > 0 ? last_ : now;
    step_start_.step = now.step;
    if (now.step > 1 && now.rows_done > step_start_.rows_done) {
      const double row_seconds =
          (now.seconds - step_start_.seconds) / static_cast<double>(now.rows_done - step_start_.rows_done);
      progress.set_eta_seconds(row_seconds * static_cast<double>(now.rows_done) * (1 / now.fraction - 1));
    }
    if (now.step > 1) {
      progress.set_loss(now.loss);
      progress.set_training_error(now.training_error);
      progress.set_learning_rate(now.learning_rate);
    }
    last_ = now;
    return progress;
  }

  // At the end.
  v1::TrainingStatistics Statistics() const {
    v1::TrainingStatistics statistics;
    statistics.set_loss(last_.loss);
    statistics.set_training_error(last_.training_error);
    statistics.set_images_per_second(static_cast<double>(last_.rows_done - classifier_rows_) / last_.seconds);
    statistics.set_train_seconds(last_.seconds);
    statistics.set_training_rows(static_cast<uint64_t>(rows_));
    return statistics;
  }

 private:
  const int64_t rows_, classifier_rows_;
  FineTuningProgress last_, step_start_;
};

// What each update depends on that TrainingSpec also has for encoders.
absl::Status ResolveUpdates(v1::TrainingSpec* training) {
  if (training->optimiser() != v1::OPTIMISER_UNSPECIFIED && training->optimiser() != v1::OPTIMISER_SGD) {
    return InvalidField("training.optimiser", v1::Optimiser_Name(training->optimiser()),
                        "OPTIMISER_SGD, with which models are fine-tuned, or no value");
  }
  training->set_optimiser(v1::OPTIMISER_SGD);
  if (!training->has_learning_rate()) training->set_learning_rate(kLearningRate);
  if (training->final_learning_rate() != 0) {
    return InvalidField("training.final_learning_rate", training->final_learning_rate(),
                        "0, to which the rate of fine-tuning falls, or no value");
  }
  training->set_final_learning_rate(0);
  return absl::OkStatus();
}

// What a batch needs, which depends on the base.
absl::Status CheckMemory(const FineTuningOptions& options, const v1::ModelDescription& base) {
  int64_t units = base.code_width();
  for (const v1::EncoderSpec& layer : base.encoder().stack().layers()) {
    units = std::max<int64_t>(units, layer.k_sparse().units());
  }
  if (options.batch_size * units <= kMaxBatchScores) return absl::OkStatus();
  return InvalidField("training.batch_size", options.batch_size,
                      absl::StrCat("1 .. ", kMaxBatchScores / units, " with ", units, " units: a batch has at most ",
                                   kMaxBatchScores, " scores"));
}

}  // namespace

absl::Status ResolveFineTuning(v1::JobSpec* spec) {
  if (!spec->has_base()) {
    return absl::InvalidArgumentError(
        "fine_tuning is set without base: it goes on from a trained k-sparse model; name it in base.model");
  }
  if (spec->encoder().kind_case() != v1::EncoderSpec::KIND_NOT_SET) {
    return absl::InvalidArgumentError(
        absl::StrCat("encoder is set together with fine_tuning, which adds no layer to the base model '",
                     spec->base().model(), "'; leave encoder out"));
  }
  spec->clear_encoder();
  v1::FineTuningSpec& tuning = *spec->mutable_fine_tuning();
  if (!tuning.has_classifier_epochs()) tuning.set_classifier_epochs(20);
  if (!tuning.has_classifier_rate()) tuning.set_classifier_rate(0.1f);
  if (!tuning.has_encoder_l2()) tuning.set_encoder_l2(0);
  if (!tuning.has_classifier_l2()) tuning.set_classifier_l2(1e-5f);
  if (!tuning.has_input_dropout()) tuning.set_input_dropout(0);
  if (!tuning.has_code_dropout()) tuning.set_code_dropout(0);
  if (!tuning.has_adversarial_length()) tuning.set_adversarial_length(0);
  if (!tuning.has_max_shift()) tuning.set_max_shift(0);
  if (tuning.classifier_epochs() < 1 || tuning.classifier_epochs() > kMaxClassifierEpochs) {
    return InvalidField("fine_tuning.classifier_epochs", tuning.classifier_epochs(),
                        absl::StrCat("1 .. ", kMaxClassifierEpochs));
  }
  const auto is_share = [](float p) { return p >= 0 && p < 1; };
  const struct {
    const char* field;
    float value;
    bool valid;
    const char* range;
  } ranges[] = {
      {"classifier_rate", tuning.classifier_rate(), tuning.classifier_rate() > 0, "above 0, such as 0.1"},
      {"encoder_l2", tuning.encoder_l2(), tuning.encoder_l2() >= 0, "at least 0"},
      {"classifier_l2", tuning.classifier_l2(), tuning.classifier_l2() >= 0, "at least 0, such as 1e-5"},
      {"input_dropout", tuning.input_dropout(), is_share(tuning.input_dropout()), "at least 0 and below 1"},
      {"code_dropout", tuning.code_dropout(), is_share(tuning.code_dropout()), "at least 0 and below 1, such as 0.2"},
      {"adversarial_length", tuning.adversarial_length(), tuning.adversarial_length() >= 0, "at least 0, such as 0.7"},
  };
  for (const auto& [field, value, valid, range] : ranges) {
    if (!valid || !std::isfinite(value)) return InvalidField(absl::StrCat("fine_tuning.", field), value, range);
  }
  if (tuning.max_shift() > kMaxShift) {
    return InvalidField("fine_tuning.max_shift", tuning.max_shift(),
                        absl::StrCat("0 .. ", kMaxShift, ", and less than the images' smaller side"));
  }
  return ResolveUpdates(spec->mutable_training());
}

absl::StatusOr<ModelBundle> FineTuneBase(const v1::JobSpec& spec, const ModelBundle& base, const Dataset& data,
                                         std::shared_ptr<Backend> backend, const TrainerOptions& options) {
  const FineTuningOptions tuning = OptionsOf(spec);
  KWTA_RETURN_IF_ERROR(CheckMemory(tuning, base.description));
  const std::string backend_name(backend->name());
  ProgressWriter writer(data.rows(), tuning.probe.epochs);
  FineTuningControl control;
  control.checkpoint_directory = spec.training().checkpoint_epochs() > 0 ? options.checkpoint_directory : "";
  control.checkpoint_epochs = static_cast<int>(spec.training().checkpoint_epochs());
  control.stop = options.stop;
  control.report_seconds = options.report_seconds;
  control.report = [&](const FineTuningProgress& tuned) {
    const v1::TrainingProgress progress = writer.Write(tuned);
    if (options.report) options.report(progress);
  };
  KWTA_ASSIGN_OR_RETURN(ModelBundle tuned, FineTune(base, data, tuning, std::move(backend), control));
  v1::ModelDescription& description = tuned.description;
  description.set_name(spec.model());
  *description.mutable_training() = spec.training();
  *description.mutable_fine_tuning() = spec.fine_tuning();
  *description.mutable_dataset() = spec.dataset();
  description.set_backend(backend_name);
  *description.mutable_statistics() = writer.Statistics();
  return tuned;
}

}  // namespace kwta
