// The loop of every training run: epochs, batches, reports, checkpoints, stop requests, and the check that training has
// not diverged.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/trainee.h"
#include "core/training/training_control.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Trains `trainee`, or resumes it from its checkpoint, and returns the finished model with its statistics. `data` is
// the data set behind the trainee's rows. Errors: those of RunJob (core/training/run_job.h). REQUIRES: spec is
// resolved, and the trainee was created from it.
absl::StatusOr<ModelBundle> RunTrainingLoop(const v1::JobSpec& spec, const Dataset& data, Trainee& trainee,
                                            const TrainingControl& control);

}  // namespace kwta
