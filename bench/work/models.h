// The encoders that are measured, as the words of a description say:
//   units=N k=K     k-sparse
//   maps=M          winner-take-all with filters of 7x7, of data=images (28x28) or data=colour (3x32x32)
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/work/workload.h"
#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "kwta/v1/job.pb.h"

namespace kwta::bench {

// Resolved. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::EncoderSpec> EncoderOf(const WorkSpec& spec);

// DATA-UNITS or DATA-maps-MAPS: one trained encoder serves every k.
std::string ModelName(const WorkSpec& spec);

// That encoder: trained for a short while on data=NAME, or as it was trained the last time (kept in the inputs as
// NAME.bundle, its tensors as npy files in NAME for other programs); or with weights=random, k-sparse only, one that
// nobody trained, for rows of `width`.
absl::StatusOr<ModelBundle> ModelOf(const WorkSpec& spec, const WorkOptions& options, int64_t width,
                                    std::shared_ptr<Backend> backend);

// A job that trains it on the first `max_rows` of data=NAME; resolved. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::JobSpec> JobOf(const WorkSpec& spec, int64_t epochs, int64_t batch, int64_t max_rows);

// Writes each tensor as an npy file to the inputs' folder NAME, over what was there.
absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors);

}  // namespace kwta::bench
