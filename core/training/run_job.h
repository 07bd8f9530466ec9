// The one way to train what a job asks for: a layer, a layer on another model, or another model fine-tuned.
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

// Trains as `spec` says and returns the finished model: name, specs, statistics and tensors. The caller adds the job's
// id and the time. The job is one of three:
//   without a base         spec.encoder is trained on the rows of the data set;
//   with a base            spec.encoder is trained on the codes of the base, which stays as it is; the model is the
//                          stack of both (core/encoders/stack.h). k-Sparse Autoencoders, section 4.6;
//   with fine_tuning too   the base itself is trained with labels, and a classifier (core/training/fine_tuning).
// Training goes on from the checkpoint in control.checkpoint_directory if that is of the same spec, base and data; of a
// checkpoint that cannot be used, the progress says why in a warning. The result is a function of spec, base and data,
// whatever the number of threads and however often training was interrupted: a checkpoint may stand between any two
// updates. Errors: CANCELLED (stopped), INVALID_ARGUMENT (data or a base that do not fit the spec), FAILED_PRECONDITION
// (diverged; data that changed meanwhile), DATA_LOSS (a base that does not load), and what the file system returns for
// checkpoints. REQUIRES: spec is resolved; base is set if and only if spec.base is.
absl::StatusOr<ModelBundle> RunJob(v1::JobSpec spec, std::optional<ModelBundle> base, const Dataset& data,
                                   std::shared_ptr<Backend> backend, const TrainingControl& control);

}  // namespace kwta
