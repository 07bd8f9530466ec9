// Defaults and ranges of a training job.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/training/learner_rows.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fills in every default of `spec` and checks it as far as possible without the data. Resolving a resolved spec changes
// nothing. Errors: INVALID_ARGUMENT or NOT_FOUND naming the field, its value and its range.
absl::Status ResolveJobSpec(v1::JobSpec* spec);

// Checks whether a resolved spec with a base can be trained on the model that `base` describes. Errors:
// INVALID_ARGUMENT (a layer that cannot read its codes, layers that cannot be fine-tuned).
absl::Status CheckFitsBase(const v1::JobSpec& spec, const v1::ModelDescription& base);

// Checks that `rows` training rows fill a batch. Errors: INVALID_ARGUMENT.
absl::Status CheckBatchIsFilled(int64_t rows, const v1::TrainingSpec& training);

// Does the same for a resolved spec whose data set has `rows` rows, as far as their number is that of the training
// rows: not if a base model or steps that draw patches or separate views come between. Errors: INVALID_ARGUMENT.
absl::Status CheckRowsSuffice(int64_t rows, const v1::JobSpec& spec);

// Completes a resolved spec with the learning rate, if it is not set: only the training rows determine it. Reads up to
// a thousand rows and holds them. Errors: INVALID_ARGUMENT (final_learning_rate is above it, or rows so large that it
// would vanish), and those of reading the rows.
// REQUIRES: spec has an encoder.
absl::Status FitTraining(v1::JobSpec* spec, LearnerRows& rows);

}  // namespace kwta
