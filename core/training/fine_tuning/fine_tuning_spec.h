// Fine-tuning specs: their defaults and ranges, and the models that can be fine-tuned.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Resolves the fine_tuning part of a job for ResolveJobSpec: its fields, and the fields of training whose defaults
// differ. Leaves out input_dropout and code_dropout if they are not set: their defaults are those of the model.
// Errors: INVALID_ARGUMENT naming the field, its value and its range. REQUIRES: spec has fine_tuning.
absl::Status ResolveFineTuning(v1::JobSpec* spec);

// Checks that every layer of a model is of a kind that can be fine-tuned (EncoderKind::tuned_code), and that it encodes
// whole rows. Errors: INVALID_ARGUMENT.
absl::Status CheckCanBeTuned(const v1::ModelDescription& model);

}  // namespace kwta
