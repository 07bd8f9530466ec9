// Fine-tuning runs on disk, so that an interrupted one goes on where it was.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/evaluation/fine_tuning.h"
#include "core/io/safetensors.h"

namespace kwta {

// Between two epochs.
struct FineTuningPlace {
  int step = 0;         // steps that are done
  int epochs_done = 0;  // of the next one
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
