// Training runs on disk, so that an interrupted run resumes where it stopped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// Totals of an epoch, or of the part of it that is done.
struct EpochTotals {
  double loss = 0;                       // sum over the rows of |x - xhat|^2, or of fine-tuning's cross-entropies
  int64_t wrong = 0;                     // fine-tuning only: misclassified rows
  std::vector<uint8_t> unit_was_active;  // [units]; 1 if the unit was in a code of the epoch

  int64_t DeadUnits() const;
};

// The position of a run between two updates. Together with the trainee's state it determines the rest of the run.
struct TrainingState {
  uint32_t epochs_done = 0;
  int64_t batches_done = 0;  // in the current epoch
  EpochTotals epoch;         // the current epoch
  EpochTotals last_epoch;    // the last finished epoch
  double first_loss = -1;    // mean over the rows of the first update; -1 before it
  double least_loss = -1;    // smallest mean of an epoch; -1 before the first is done
  double train_seconds = 0;  // of all runs so far
};

struct TrainingCheckpoint {
  TrainingState state;
  TensorMap trainee;  // Trainee::Checkpoint()
};

// Atomically replaces the checkpoint in `directory`, which must exist. `fingerprint` is any text that identifies the
// job and its data. Errors: what the file system returns.
absl::Status SaveCheckpoint(const std::string& directory, const std::string& fingerprint,
                            TrainingCheckpoint checkpoint);

// Loads the checkpoint in `directory`. Errors: NOT_FOUND (there is none), FAILED_PRECONDITION (its fingerprint differs,
// or this version no longer reads its format), DATA_LOSS (it is corrupt), and what the file system returns.
absl::StatusOr<TrainingCheckpoint> LoadCheckpoint(const std::string& directory, const std::string& fingerprint);

}  // namespace kwta
