// Training jobs that fine-tune a model with labels (core/training/fine_tuning/fine_tuning.h).
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/training/trainer.h"

namespace kwta {

// The part of ResolveJobSpec that is about fine_tuning: its fields, and those of training that have other defaults.
// Errors: INVALID_ARGUMENT naming the field, its value and its range. REQUIRES: spec has fine_tuning.
absl::Status ResolveFineTuning(v1::JobSpec* spec);

// Fine-tunes `base` as `spec` says and gives the finished model, which also holds its classifier. Goes on from the
// checkpoint if there is one of the same spec. Errors: those of FineTune, and INVALID_ARGUMENT (a batch too large for
// the base). REQUIRES: spec is resolved and has fine_tuning.
absl::StatusOr<ModelBundle> FineTuneBase(const v1::JobSpec& spec, const ModelBundle& base, const Dataset& data,
                                         std::shared_ptr<Backend> backend, const TrainerOptions& options);

}  // namespace kwta
