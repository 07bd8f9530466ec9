// Fine-tuning runs on disk, so that an interrupted one goes on where it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"
#include "core/training/fine_tuning/fine_tuning.h"

namespace kwta {

// Between two updates of the steps after the classifier's own.
struct FineTuningPlace {
  int step = 0;              // of those steps, how many are done
  int epochs_done = 0;       // of the next one
  int64_t batches_done = 0;  // of the epoch after those, and what they came to:
  double loss = 0;           // sum of the cross-entropies of their rows
  int64_t wrong = 0;         // rows classified wrongly
  double seconds = 0;        // spent until now
};

struct FineTuningCheckpoint {
  FineTuningPlace place;
  TensorMap network;  // TunedNetwork::Checkpoint()
};

// Text that stands for everything that the result depends on.
std::string FineTuningFingerprint(const ModelBundle& model, const Dataset& data, const FineTuningOptions& options);

// Replaces the checkpoint in `directory`, which must exist, atomically. Errors: what the file system gives.
absl::Status SaveFineTuningCheckpoint(const std::string& directory, const std::string& fingerprint,
                                      const FineTuningCheckpoint& checkpoint);

// nullopt if there is none, if it has another fingerprint, and also if it is corrupt. Errors: what the file system
// gives.
absl::StatusOr<std::optional<FineTuningCheckpoint>> LoadFineTuningCheckpoint(const std::string& directory,
                                                                             const std::string& fingerprint);

}  // namespace kwta
