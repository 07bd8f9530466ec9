// Training runs on disk, so that an interrupted one goes on where it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// What an epoch, or the part of it that is done, added up to.
struct EpochTotals {
  double loss = 0;                       // sum over its rows of |x - xhat|^2, or of fine-tuning's cross-entropies
  int64_t wrong = 0;                     // of fine-tuning: rows classified wrongly
  std::vector<uint8_t> unit_was_active;  // [units]; 1 if the unit was in a code of the epoch

  int64_t DeadUnits() const;
};

// Where a run stands between two updates. With the trainee's state it determines the rest of the run.
struct TrainingState {
  uint32_t epochs_done = 0;
  int64_t batches_done = 0;  // of the epoch under way
  EpochTotals epoch;         // the epoch under way
  EpochTotals last_epoch;    // the last one that is done
  double first_loss = -1;    // mean of the rows of the first update; -1 before it
  double least_loss = -1;    // the least mean of an epoch; -1 before one is done
  double train_seconds = 0;  // of all runs until now
};

struct TrainingCheckpoint {
  TrainingState state;
  TensorMap trainee;  // Trainee::Checkpoint()
};

// Replaces the checkpoint in `directory`, which must exist, atomically. `fingerprint` is any text that stands for what
// is trained on what. Errors: what the file system returns.
absl::Status SaveCheckpoint(const std::string& directory, const std::string& fingerprint,
                            TrainingCheckpoint checkpoint);

// The checkpoint in `directory`. Errors: NOT_FOUND (there is none), FAILED_PRECONDITION (it has another fingerprint or
// is of a version whose checkpoints are no longer read), DATA_LOSS (it is corrupt), and what the file system returns.
absl::StatusOr<TrainingCheckpoint> LoadCheckpoint(const std::string& directory, const std::string& fingerprint);

}  // namespace kwta
