// Fine-tuning as a job asks for it: what the specs may say, and which models it can be done to.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// The part of ResolveJobSpec that is about fine_tuning: its fields, and those of training that have other defaults.
// Errors: INVALID_ARGUMENT naming the field, its value and its range. REQUIRES: spec has fine_tuning.
absl::Status ResolveFineTuning(v1::JobSpec* spec);

// Whether a model is k-sparse or a stack of k-sparse layers, of whole rows. Errors: INVALID_ARGUMENT.
absl::Status CheckCanBeTuned(const v1::ModelDescription& model);

}  // namespace kwta
