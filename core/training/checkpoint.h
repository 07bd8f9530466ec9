// Training runs on disk, so that an interrupted one goes on where it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// What an epoch, or the part of it that is done, added up to.
struct EpochTotals {
  double squared_error = 0;              // sum over its rows of |x - xhat|^2
  std::vector<uint8_t> unit_was_active;  // [units]; 1 if the unit was in a code of the epoch

  int64_t DeadUnits() const;
};

// Where a run stands between two updates. With the learner's state it determines the rest of the run.
struct TrainingState {
  uint32_t epochs_done = 0;
  int64_t batches_done = 0;  // of the epoch under way
  EpochTotals epoch;         // the epoch under way
  EpochTotals last_epoch;    // the last one that is done
  double train_seconds = 0;  // of all runs until now
};

struct TrainingCheckpoint {
  TrainingState state;
  TensorMap learner;  // Learner::Checkpoint()
};

// Replaces the checkpoint in `directory`, which must exist, atomically. `fingerprint` is any text that stands for what
// is trained on what. Errors: what the file system gives.
absl::Status SaveCheckpoint(const std::string& directory, const std::string& fingerprint,
                            TrainingCheckpoint checkpoint);

// The checkpoint in `directory`. nullopt if there is none, if it has another fingerprint, and also if it is corrupt: a
// checkpoint only saves time, so a damaged one costs the time again, where failing would cost the job.
// Errors: what the file system gives.
absl::StatusOr<std::optional<TrainingCheckpoint>> LoadCheckpoint(const std::string& directory,
                                                                 const std::string& fingerprint);

}  // namespace kwta
