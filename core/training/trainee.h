// The part of a training run that the one training loop (core/training/training_loop.h) drives.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/model_bundle.h"
#include "core/training/checkpoint.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// The rows of one update, and the position of the run before it. Epochs and updates are the loop's, from 0.
struct TrainingBatch {
  const uint32_t* which = nullptr;  // [rows], numbers of rows of the data
  int64_t rows = 0;
  int64_t epoch = 0;
  int64_t update = 0;
};

// The epoch that a report describes, as far as it is done.
struct EpochReport {
  int64_t epoch = 0;
  int64_t rows = 0;                     // done so far; at least 1
  const EpochTotals* totals = nullptr;  // of these rows
};

// The loss of a row for a model that has learnt only the mean of the rows or the frequencies of their classes.
struct Baseline {
  double loss = 0;
  const char* name = "";  // in messages, such as "predicting the mean of the rows"
};

// Not thread-safe.
class Trainee {
 public:
  // Gets the number of finished epochs. Its caller stops at an error and returns it.
  using AfterEpoch = std::function<absl::Status(int64_t)>;

  virtual ~Trainee() = default;

  // Rows in one epoch.
  virtual int64_t rows() const = 0;
  // Units that EpochTotals follows; 0 if it follows none.
  virtual int64_t units() const = 0;
  // Number of epochs of the loop.
  virtual int64_t epochs() const = 0;
  // Number of epochs that Begin runs before them.
  virtual int64_t epochs_before() const { return 0; }
  // The seed's stream that draws the order of the rows in `epoch`.
  virtual uint64_t OrderStream(int64_t epoch) const = 0;
  virtual double LearningRate(int64_t update) const = 0;
  // The name of `epoch` in messages, such as "3 of 30".
  virtual std::string EpochName(int64_t epoch) const = 0;
  // Whether epochs from this one on take a different time from those before.
  virtual bool ChangesPace(int64_t /*epoch*/) const { return false; }
  // Text that represents everything that the result depends on besides the spec.
  virtual std::string DataFingerprint() const = 0;
  virtual Baseline baseline() const = 0;
  // Warnings for the user.
  virtual std::vector<std::string> warnings() const { return {}; }
  // Warnings about the outcome.
  virtual std::vector<std::string> FinalWarnings(const EpochTotals& /*last_epoch*/) const { return {}; }

  // Returns to the start of the run. The loop calls it first, then Begin or Restore.
  virtual absl::Status Reset() = 0;
  // Does the work that precedes the loop's first epoch. A run that resumes from a checkpoint skips it.
  virtual absl::Status Begin(const AfterEpoch& /*after_epoch*/) { return absl::OkStatus(); }
  // Starts one update, which may still be running when it returns. Errors: FAILED_PRECONDITION if it is already known
  // that training has diverged.
  virtual absl::Status Update(const TrainingBatch& batch) = 0;
  // Waits for the updates since the last call. Returns, in order, the loss before each of them, summed over its rows. A
  // loss is not finite if training has diverged there. Adds the other results to `totals`.
  virtual absl::StatusOr<std::vector<double>> TakeLosses(EpochTotals* totals) = 0;
  // Names what may have made training diverge, besides training.learning_rate, each with its value, as in "x from 2".
  virtual std::vector<std::string> other_causes() const { return {}; }
  // The name of a batch's loss in messages, such as "squared error".
  virtual const char* loss_name() const = 0;
  // Everything that later updates depend on.
  virtual absl::StatusOr<TensorMap> Checkpoint() const = 0;
  // Errors: DATA_LOSS if a tensor is missing or of the wrong shape; the caller must then call Reset.
  virtual absl::Status Restore(const TensorMap& state) = 0;

  // Fills in the fields of a report that only this kind of run has, and its loss. last_epoch is the last finished
  // epoch, or null before the first.
  virtual void Describe(const EpochReport& report, const EpochTotals* last_epoch,
                        v1::TrainingProgress* progress) const = 0;
  // Returns the finished model with its description beyond the spec, and this kind of run's statistics. Updates may
  // follow, whose loss shows how well the finished model does; they no longer change it.
  virtual absl::StatusOr<ModelBundle> Finish(const EpochTotals& last_epoch) = 0;
};

}  // namespace kwta
