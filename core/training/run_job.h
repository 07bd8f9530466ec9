// The one way to run a training job: it trains a layer, trains a layer on another model, or fine-tunes another model.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/training_control.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Trains according to `spec` and returns the finished model: name, specs, statistics and tensors. The caller adds the
// job's id and the time. There are three kinds of job:
//   without a base         spec.encoder is trained on the rows of the data set;
//   with a base            spec.encoder is trained on the codes of the base, which does not change; the model is the
//                          stack of both (core/encoders/stack.h). k-Sparse Autoencoders, section 4.6;
//   with fine_tuning too   the base itself is trained with labels, and a classifier (core/training/fine_tuning).
// Training resumes from the checkpoint in control.checkpoint_directory if it belongs to the same spec, base and data.
// If a checkpoint cannot be used, a warning in the progress says why. The result is a function of spec, base and data.
// It does not depend on the number of threads or on interruptions: a checkpoint may stand between any two updates.
// Errors: CANCELLED (stopped), INVALID_ARGUMENT (data or a base that do not fit the spec), FAILED_PRECONDITION
// (diverged; data that changed meanwhile), DATA_LOSS (a base that does not load), and what the file system returns for
// checkpoints.
// REQUIRES: spec is resolved; base is set if and only if spec.base is.
absl::StatusOr<ModelBundle> RunJob(v1::JobSpec spec, std::optional<ModelBundle> base, const Dataset& data,
                                   std::shared_ptr<Backend> backend, const TrainingControl& control);

}  // namespace kwta
