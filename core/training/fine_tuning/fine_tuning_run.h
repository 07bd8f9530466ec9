// The steps of fine-tuning: epochs, updates, reports, checkpoints.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/training/fine_tuning/fine_tuning.h"
#include "core/training/fine_tuning/fine_tuning_checkpoint.h"
#include "core/training/fine_tuning/tuned_network.h"
#include "core/training/fine_tuning/tuning_rows.h"

namespace kwta {

// One call of FineTune, whose arguments are checked and outlive it. Not thread-safe.
class FineTuningRun {
 public:
  FineTuningRun(const ModelBundle& model, const Dataset& data, const FineTuningOptions& options,
                std::shared_ptr<Backend> backend, const FineTuningControl& control);

  // Takes up a checkpoint, or trains the classifier on the codes of `encoder`, which is the model's.
  absl::Status Prepare(const Encoder& encoder);
  // The steps after that. REQUIRES: Prepare.
  absl::Status Tune();
  // The model as it is now. Errors: FAILED_PRECONDITION (diverged). REQUIRES: Prepare.
  absl::StatusOr<ModelBundle> Finish() const;

 private:
  using Clock = std::chrono::steady_clock;

  absl::Status Resume();
  absl::StatusOr<Classifier> FitClassifier(const Encoder& encoder) const;
  absl::Status Epoch();
  absl::StatusOr<Classifier::Outcome> Update(const uint32_t* which, int64_t rows);
  absl::Status Diverged(const absl::Status& cause) const;
  // Where it stands in the epoch under way, or at its end.
  FineTuningProgress Progress() const;
  absl::Status Report(FineTuningProgress progress, bool epoch_is_done);
  absl::Status WriteCheckpoint() const;

  bool CheckpointsAreOn() const { return !control_.checkpoint_directory.empty(); }
  bool StopRequested() const { return control_.stop != nullptr && control_.stop->load(); }
  int layers() const { return network_->layers(); }
  int StepNumber() const { return place_.step + 2; }  // for people: the first was the classifier's own
  int AllEpochs() const { return options_.probe.epochs + layers() * options_.epochs; }
  int64_t EpochRowsDone() const;
  int64_t UpdatesDone() const { return place_.epochs_done * batches_ + place_.batches_done; }  // of the step
  double RateLeft() const;  // fraction of the step's rate at the start
  double Seconds() const;   // spent, by earlier runs too

  const ModelBundle& model_;
  const Dataset& data_;
  const FineTuningOptions& options_;
  const std::shared_ptr<Backend> backend_;
  const FineTuningControl& control_;
  const std::vector<int32_t> labels_;
  const int classes_;
  const int64_t batches_;  // of an epoch
  std::optional<TunedNetwork> network_;
  std::optional<TuningRows> rows_;
  std::string fingerprint_;
  FineTuningPlace place_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point reported_ = Clock::now();
  std::vector<float> x_;               // [batch_size, width]
  std::vector<int32_t> batch_labels_;  // [batch_size]
};

}  // namespace kwta
