// Defaults and ranges of a training job.
#pragma once

#include "absl/status/status.h"
#include "core/training/learner_rows.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fills in every default of `spec` and checks it, as far as that is possible without the data. Resolving a resolved
// spec changes nothing. Errors: INVALID_ARGUMENT or NOT_FOUND naming the field, its value and its range.
absl::Status ResolveJobSpec(v1::JobSpec* spec);

// Completes a resolved spec with what only the rows that are trained on say: the learning rate, if it is not set. Reads
// up to a thousand rows and holds them. Errors: INVALID_ARGUMENT (a final_learning_rate above it), and those of reading
// the rows. REQUIRES: spec has an encoder.
absl::Status FitTraining(v1::JobSpec* spec, LearnerRows& rows);

}  // namespace kwta
