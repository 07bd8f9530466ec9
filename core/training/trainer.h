// Trains an encoder on a data set: schedules, epochs, reports, checkpoints.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fills in every default of `spec` and checks it, as far as that is possible without the data.
// Errors: INVALID_ARGUMENT or NOT_FOUND naming the field, its value and its range.
absl::Status ResolveJobSpec(v1::JobSpec* spec);

struct TrainerOptions {
  // Checkpoints and scratch files are kept here; empty: no checkpoints are written or read, and scratch files are in
  // the system's directory for temporary files.
  std::string checkpoint_directory;
  // Called from Train, after each epoch and about every report_seconds within one.
  std::function<void(const v1::TrainingProgress&)> report;
  double report_seconds = 0.5;
  // Train stops after the current update, writes a checkpoint and returns CANCELLED once this is true. May be null.
  const std::atomic<bool>* stop = nullptr;
};

// Trains as `spec` says and gives the finished model (name, specs, statistics, tensors; the caller adds the job's id
// and the time). Goes on from the checkpoint if there is one of the same spec. The result is a function of the spec and
// the data, whatever the number of threads and however often it was interrupted: a checkpoint may stand between any two
// updates. Errors: CANCELLED (stopped), INVALID_ARGUMENT (data that do not fit the spec), FAILED_PRECONDITION
// (diverged), and what the file system gives for checkpoints. REQUIRES: spec is resolved and has neither base nor
// fine_tuning.
absl::StatusOr<ModelBundle> Train(const v1::JobSpec& spec, const Dataset& data, std::shared_ptr<Backend> backend,
                                  const TrainerOptions& options);

// The same for a spec with a base: trains its encoder on the codes of `base`, which stays as it is, and gives the stack
// of both (core/encoders/stack.h). k-Sparse Autoencoders, section 4.6: greedy layer-wise training. Errors: also
// DATA_LOSS (a base that does not load).
absl::StatusOr<ModelBundle> TrainOnBase(const v1::JobSpec& spec, ModelBundle base, const Dataset& data,
                                        std::shared_ptr<Backend> backend, const TrainerOptions& options);

}  // namespace kwta
