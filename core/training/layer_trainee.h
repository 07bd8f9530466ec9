// Training of one encoder layer on the rows of a data set, or on the codes of a model below it.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/training/learner_rows.h"
#include "core/training/trainee.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Trains spec.encoder on `rows`. Errors: INVALID_ARGUMENT (rows that do not fit the spec, fewer rows than a batch has,
// or rows that are all the same). REQUIRES: spec is resolved; spec and rows outlive the trainee.
absl::StatusOr<std::unique_ptr<Trainee>> CreateLayerTrainee(const v1::JobSpec& spec, LearnerRows& rows,
                                                            std::shared_ptr<Backend> backend);

}  // namespace kwta
