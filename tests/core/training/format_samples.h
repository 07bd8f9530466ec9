// Samples of what a version of kwta writes: model bundles with the codes that they give, and checkpoints of jobs that
// were interrupted. tests/data/formats holds those of each release; its README.md says what lies where.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/model_bundle.h"
#include "core/training/training_control.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Paths of the folders in `directory`, sorted.
std::vector<std::string> FoldersIn(const std::string& directory);

// The job of the checkpoint in `checkpoint`, as it was resolved when it was submitted.
absl::StatusOr<v1::JobSpec> ReadSampleJob(const std::string& checkpoint);

// Runs a job on the images of tests/data/datasets with one thread of `backend`. A base model is the sample of that name
// in the folder `bundles`.
absl::StatusOr<ModelBundle> RunSampleJob(const v1::JobSpec& spec, const std::string& bundles,
                                         const std::string& backend, const TrainingControl& control);

// Writes a sample of each kind as this version writes it to `directory`, which is made.
absl::Status WriteFormatSamples(const std::string& directory);

}  // namespace kwta
