// The loop of every training run: epochs, batches, reports, checkpoints, the request to stop, and the check that
// training has not diverged.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/trainee.h"
#include "core/training/training_control.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Trains `trainee`, or goes on from its checkpoint, and returns the finished model with its statistics. `data` is what
// its rows are made of. Errors: those of RunJob (core/training/run_job.h). REQUIRES: spec is resolved, and what the
// trainee was made of.
absl::StatusOr<ModelBundle> RunTrainingLoop(const v1::JobSpec& spec, const Dataset& data, Trainee& trainee,
                                            const TrainingControl& control);

}  // namespace kwta
