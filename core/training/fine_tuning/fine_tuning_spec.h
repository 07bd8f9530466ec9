// Fine-tuning specs: their defaults and ranges, and the models that can be fine-tuned.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Resolves the fine_tuning part of a job for ResolveJobSpec: its fields, and the fields of training whose defaults
// differ.
// Errors: INVALID_ARGUMENT naming the field, its value and its range. REQUIRES: spec has fine_tuning.
absl::Status ResolveFineTuning(v1::JobSpec* spec);

// Checks that a model is k-sparse or a stack of k-sparse layers and encodes whole rows. Errors: INVALID_ARGUMENT.
absl::Status CheckCanBeTuned(const v1::ModelDescription& model);

}  // namespace kwta
