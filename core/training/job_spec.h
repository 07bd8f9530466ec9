// Defaults and ranges of a training job.
#pragma once

#include "absl/status/status.h"
#include "core/training/learner_rows.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fills in every default of `spec` and checks it as far as possible without the data. Resolving a resolved spec changes
// nothing. Errors: INVALID_ARGUMENT or NOT_FOUND naming the field, its value and its range.
absl::Status ResolveJobSpec(v1::JobSpec* spec);

// Completes a resolved spec with the learning rate, if it is not set: only the training rows determine it. Reads up to
// a thousand rows and holds them. Errors: INVALID_ARGUMENT (final_learning_rate is above it), and those of reading the
// rows.
// REQUIRES: spec has an encoder.
absl::Status FitTraining(v1::JobSpec* spec, LearnerRows& rows);

}  // namespace kwta
