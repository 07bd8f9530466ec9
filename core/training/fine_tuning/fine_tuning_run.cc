#include "core/training/fine_tuning/fine_tuning_run.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/rng.h"
#include "core/base/seconds_since.h"
#include "core/base/status_macros.h"
#include "core/evaluation/code_blocks.h"
#include "core/evaluation/feature_rows.h"

namespace kwta {
namespace {

// Streams of the seed: an epoch's order of rows, and what a batch of it draws.
uint64_t OrderStream(int step, int epoch) { return (static_cast<uint64_t>(step) << 32) + epoch; }
uint64_t BatchStream(int step, int64_t update) {
  return (uint64_t{1} << 63) + (static_cast<uint64_t>(step) << 48) + static_cast<uint64_t>(update);
}

}  // namespace

FineTuningRun::FineTuningRun(const ModelBundle& model, const Dataset& data, const FineTuningOptions& options,
                             std::shared_ptr<Backend> backend, const FineTuningControl& control)
    : model_(model),
      data_(data),
      options_(options),
      backend_(std::move(backend)),
      control_(control),
      labels_(data.Labels()),
      classes_(1 + *std::max_element(labels_.begin(), labels_.end())),
      batches_(DivideUp(data.rows(), options.batch_size)) {}

absl::Status FineTuningRun::Prepare(const Encoder& encoder) {
  KWTA_ASSIGN_OR_RETURN(network_, TunedNetwork::Create(model_, backend_));
  KWTA_ASSIGN_OR_RETURN(rows_, TuningRows::Create(model_, data_, options_.input_dropout, options_.max_shift));
  x_.resize(options_.batch_size * rows_->width());
  batch_labels_.resize(options_.batch_size);
  if (CheckpointsAreOn()) {
    KWTA_RETURN_IF_ERROR(Resume());
    if (place_.step > 0 || place_.epochs_done > 0 || place_.batches_done > 0) return absl::OkStatus();
  }
  KWTA_ASSIGN_OR_RETURN(Classifier classifier, FitClassifier(encoder));
  network_->SetClassifier(std::move(classifier));
  return absl::OkStatus();
}

absl::Status FineTuningRun::Resume() {
  fingerprint_ = FineTuningFingerprint(model_, data_, options_);
  KWTA_ASSIGN_OR_RETURN(std::optional<FineTuningCheckpoint> saved,
                        LoadFineTuningCheckpoint(control_.checkpoint_directory, fingerprint_));
  if (!saved.has_value() || saved->place.step >= layers() || saved->place.epochs_done >= options_.epochs ||
      saved->place.batches_done > batches_) {
    return absl::OkStatus();
  }
  network_->SetClassifier(Classifier(model_.description.code_width(), classes_, 1));
  const absl::Status restored = network_->Restore(saved->network);
  if (absl::IsDataLoss(restored)) {
    // A damaged checkpoint only costs time; the network may have taken a part of it.
    KWTA_ASSIGN_OR_RETURN(network_, TunedNetwork::Create(model_, backend_));
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(restored);
  place_ = saved->place;
  return absl::OkStatus();
}

// Step 1: on codes that are fixed.
absl::StatusOr<Classifier> FineTuningRun::FitClassifier(const Encoder& encoder) const {
  SparseCodes codes;
  codes.units = encoder.code_width();
  KWTA_RETURN_IF_ERROR(
      VisitCodes(data_, encoder, [&](const SparseCodes& block, int64_t) { codes.AppendRows(block, 0, block.rows()); }));
  const CodeFeatures features(codes);
  std::vector<uint32_t> all(data_.rows());
  std::iota(all.begin(), all.end(), 0u);
  const auto after_epoch = [&](int epochs_done, const LinearProbe&) -> absl::Status {
    if (StopRequested()) {
      return absl::CancelledError(
          absl::StrCat("fine-tuning was stopped after epoch ", epochs_done, " of the classifier's own"));
    }
    if (!control_.report) return absl::OkStatus();
    FineTuningProgress progress;
    progress.step = 1;
    progress.steps = 1 + layers();
    progress.epochs = options_.probe.epochs;
    progress.epochs_done = progress.all_epochs_done = epochs_done;
    progress.all_epochs = AllEpochs();
    progress.rows_done = epochs_done * data_.rows();
    progress.fraction = static_cast<double>(epochs_done) / progress.all_epochs;
    progress.seconds = Seconds();
    control_.report(progress);
    return absl::OkStatus();
  };
  KWTA_ASSIGN_OR_RETURN(const LinearProbe probe,
                        LinearProbe::Fit({&features, labels_, classes_}, all, options_.probe, after_epoch));
  // Codes times this have a root mean square length of 1.
  const double squared = std::inner_product(codes.values.begin(), codes.values.end(), codes.values.begin(), 0.0);
  const double scale = squared > 0 ? std::sqrt(static_cast<double>(data_.rows()) / squared) : 1;
  return Classifier(probe, static_cast<float>(scale));
}

absl::Status FineTuningRun::Tune() {
  while (place_.step < layers()) {
    KWTA_RETURN_IF_ERROR(Epoch());
    KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
    FineTuningProgress progress = Progress();
    ++place_.epochs_done;
    ++progress.epochs_done;
    ++progress.all_epochs_done;
    if (place_.epochs_done == options_.epochs) {
      ++place_.step;
      place_.epochs_done = 0;
    }
    place_.batches_done = place_.wrong = 0;
    place_.loss = 0;
    // After each step too; not at the very end, where nothing would be left to go on with and to report.
    if (CheckpointsAreOn() && place_.step < layers() && place_.epochs_done % control_.checkpoint_epochs == 0) {
      KWTA_RETURN_IF_ERROR(WriteCheckpoint());
    }
    KWTA_RETURN_IF_ERROR(Report(progress, /*epoch_is_done=*/true));
  }
  return absl::OkStatus();
}

double FineTuningRun::Seconds() const { return place_.seconds + SecondsSince(started_); }

int64_t FineTuningRun::EpochRowsDone() const {
  return std::min<int64_t>(place_.batches_done * options_.batch_size, data_.rows());
}

absl::Status FineTuningRun::Epoch() {
  Rng order_rng(options_.seed, OrderStream(place_.step, place_.epochs_done));
  const std::vector<uint32_t> order = RandomPermutation(data_.rows(), order_rng);
  while (place_.batches_done < batches_) {
    if (StopRequested()) {
      KWTA_RETURN_IF_ERROR(data_.CheckUnchanged());
      if (CheckpointsAreOn()) KWTA_RETURN_IF_ERROR(WriteCheckpoint());
      return absl::CancelledError(absl::StrCat("fine-tuning was stopped in epoch ", place_.epochs_done + 1, " of ",
                                               options_.epochs, " of step ", StepNumber()));
    }
    const int64_t begin = EpochRowsDone();
    const absl::StatusOr<Classifier::Outcome> outcome =
        Update(order.data() + begin, std::min<int64_t>(options_.batch_size, data_.rows() - begin));
    if (absl::IsFailedPrecondition(outcome.status())) return Diverged(outcome.status());
    KWTA_RETURN_IF_ERROR(outcome.status());
    place_.loss += outcome->loss;
    place_.wrong += outcome->wrong;
    ++place_.batches_done;
    if (place_.batches_done < batches_ && SecondsSince(reported_) >= control_.report_seconds) {
      KWTA_RETURN_IF_ERROR(Report(Progress(), /*epoch_is_done=*/false));
    }
  }
  return absl::OkStatus();
}

double FineTuningRun::RateLeft() const {
  return 1 - static_cast<double>(UpdatesDone()) / (static_cast<double>(batches_) * options_.epochs);
}

absl::StatusOr<Classifier::Outcome> FineTuningRun::Update(const uint32_t* which, int64_t rows) {
  Rng rng(options_.seed, BatchStream(place_.step, UpdatesDone()));
  KWTA_RETURN_IF_ERROR(rows_->Read(which, rows, rng, x_.data()));
  for (int64_t i = 0; i < rows; ++i) batch_labels_[i] = labels_[which[i]];
  if (options_.adversarial_length > 0) {
    const auto length = static_cast<float>(options_.adversarial_length);
    KWTA_RETURN_IF_ERROR(network_->AddAdversarial(length, batch_labels_.data(), rows, x_.data()));
  }
  const double left = RateLeft();
  TunedNetwork::StepOptions step;
  step.first_layer = layers() - 1 - place_.step;
  step.encoder.rate = static_cast<float>(options_.learning_rate * left);
  step.encoder.momentum = step.classifier.momentum = static_cast<float>(options_.momentum);
  step.encoder.l2 = static_cast<float>(options_.encoder_l2);
  step.classifier.rate = static_cast<float>(options_.classifier_rate * left);
  step.classifier.l2 = static_cast<float>(options_.classifier_l2);
  step.code_dropout = options_.code_dropout;
  return network_->Step(x_.data(), batch_labels_.data(), rows, step, rng);
}

absl::Status FineTuningRun::Diverged(const absl::Status& cause) const {
  return absl::FailedPreconditionError(absl::StrCat(cause.message(), ", in epoch ", place_.epochs_done + 1, " of step ",
                                                    StepNumber(), " at a learning_rate of ", options_.learning_rate,
                                                    " and a classifier_rate of ", options_.classifier_rate,
                                                    "; lower the learning_rate (a tenth is a good next try)"));
}

FineTuningProgress FineTuningRun::Progress() const {
  FineTuningProgress progress;
  progress.step = StepNumber();
  progress.steps = 1 + layers();
  progress.epochs_done = place_.epochs_done;
  progress.epochs = options_.epochs;
  progress.all_epochs_done = options_.probe.epochs + place_.step * options_.epochs + place_.epochs_done;
  progress.all_epochs = AllEpochs();
  const int64_t rows = EpochRowsDone();
  progress.rows_done = progress.all_epochs_done * data_.rows() + rows;
  progress.fraction =
      static_cast<double>(progress.rows_done) / (static_cast<double>(progress.all_epochs) * data_.rows());
  progress.seconds = Seconds();
  progress.learning_rate = options_.learning_rate * RateLeft();
  progress.loss = place_.loss / static_cast<double>(rows);
  progress.training_error = static_cast<double>(place_.wrong) / static_cast<double>(rows);
  return progress;
}

absl::Status FineTuningRun::Report(FineTuningProgress progress, bool epoch_is_done) {
  reported_ = Clock::now();
  if (!control_.report) return absl::OkStatus();
  if (epoch_is_done && control_.watched != nullptr &&
      (progress.epochs_done == progress.epochs || progress.epochs_done % control_.watch_epochs == 0)) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle now, Finish());
    KWTA_ASSIGN_OR_RETURN(progress.watched_error, ClassificationError(now, *control_.watched, backend_));
  }
  control_.report(progress);
  return absl::OkStatus();
}

absl::Status FineTuningRun::WriteCheckpoint() const {
  FineTuningCheckpoint checkpoint{place_, {}};
  checkpoint.place.seconds = Seconds();
  KWTA_ASSIGN_OR_RETURN(checkpoint.network, network_->Checkpoint());
  return SaveFineTuningCheckpoint(control_.checkpoint_directory, fingerprint_, checkpoint);
}

absl::StatusOr<ModelBundle> FineTuningRun::Finish() const {
  ModelBundle bundle;
  bundle.description = model_.description;
  for (const auto& [name, tensor] : model_.tensors) bundle.tensors[name] = tensor.Clone();
  KWTA_RETURN_IF_ERROR(network_->Export(&bundle));
  for (const auto& [name, tensor] : bundle.tensors) {
    if (!FindNonFinite(tensor.rows()).has_value()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("fine-tuning has diverged: \"", name, "\" is not finite at the end, at a learning_rate of ",
                     options_.learning_rate, "; lower it (a tenth is a good next try)"));
  }
  return bundle;
}

}  // namespace kwta
