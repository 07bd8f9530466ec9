// What a training run trains, as the one training loop (core/training/training_loop.h) sees it.
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

// The rows of one update, and where the run stands before it. Epochs and updates are those of the loop, from 0.
struct TrainingBatch {
  const uint32_t* which = nullptr;  // [rows], of the data
  int64_t rows = 0;
  int64_t epoch = 0;
  int64_t update = 0;
};

// What a report is about: an epoch, as far as it is done.
struct EpochReport {
  int64_t epoch = 0;
  int64_t rows = 0;                     // done; at least 1
  const EpochTotals* totals = nullptr;  // of these rows
};

// What a row's loss is without learning anything of the rows but their mean or the frequencies of their classes.
struct Baseline {
  double loss = 0;
  const char* name = "";  // in messages, such as "predicting the mean of the rows"
};

// Not thread-safe.
class Trainee {
 public:
  // Called with the number of epochs done. An error that it returns ends what calls it, which returns the error.
  using AfterEpoch = std::function<absl::Status(int64_t)>;

  virtual ~Trainee() = default;

  // Rows of an epoch.
  virtual int64_t rows() const = 0;
  // Units that EpochTotals follows; 0 if it follows none.
  virtual int64_t units() const = 0;
  // Epochs of the loop.
  virtual int64_t epochs() const = 0;
  // Epochs that Begin takes before them.
  virtual int64_t epochs_before() const { return 0; }
  // Stream of the seed that draws the order of the rows in `epoch`.
  virtual uint64_t OrderStream(int64_t epoch) const = 0;
  virtual double LearningRate(int64_t update) const = 0;
  // `epoch` in messages, such as "3 of 30".
  virtual std::string EpochName(int64_t epoch) const = 0;
  // Whether epochs from this one on take another time than those before.
  virtual bool ChangesPace(int64_t /*epoch*/) const { return false; }
  // Text that stands for everything that the result depends on, beside the spec.
  virtual std::string DataFingerprint() const = 0;
  virtual Baseline baseline() const = 0;
  // What the user should know.
  virtual std::vector<std::string> warnings() const { return {}; }
  // The same of the outcome.
  virtual std::vector<std::string> FinalWarnings(const EpochTotals& /*last_epoch*/) const { return {}; }

  // Goes to the start of the run. To be called first; then Begin or Restore.
  virtual absl::Status Reset() = 0;
  // Does what comes before the loop's first epoch. A run that goes on from a checkpoint leaves it out.
  virtual absl::Status Begin(const AfterEpoch& /*after_epoch*/) { return absl::OkStatus(); }
  // One update, which need not be done when it returns. Errors: FAILED_PRECONDITION when it is known by then that
  // training has diverged.
  virtual absl::Status Update(const TrainingBatch& batch) = 0;
  // Waits for the updates since the last call. Returns the loss of each before it, in order, as a sum over its rows:
  // not finite if training has diverged there. What else they did is added to `totals`.
  virtual absl::StatusOr<std::vector<double>> TakeLosses(EpochTotals* totals) = 0;
  // What the loss of a batch is called in messages, such as "squared error".
  virtual const char* loss_name() const = 0;
  // Everything that the updates to come depend on.
  virtual absl::StatusOr<TensorMap> Checkpoint() const = 0;
  // Errors: DATA_LOSS if a tensor is missing or of the wrong shape; then Reset has to be called.
  virtual absl::Status Restore(const TensorMap& state) = 0;

  // Fills in what is reported of this kind of run alone, and its loss. last_epoch is the last one that is done, null
  // before one is.
  virtual void Describe(const EpochReport& report, const EpochTotals* last_epoch,
                        v1::TrainingProgress* progress) const = 0;
  // The finished model with what describes it and is not in the spec, and of its statistics those of this kind of run.
  // After it there may be updates still, whose loss shows how the finished model does; they no longer change it.
  virtual absl::StatusOr<ModelBundle> Finish(const EpochTotals& last_epoch) = 0;
};

}  // namespace kwta
