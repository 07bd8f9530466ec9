// The encoders that are measured, as the words of a description say: FIELD=VALUE for an option --FIELD of `kwta train`,
// such as units=1000 k=75 or maps=16. The kind of encoder is the first whose leading option is given (units of
// k-sparse, maps of winner-take-all), or the one that encoder=NAME names. data=images are 28x28 pixels, data=colour
// 3x32x32.
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

// Resolved, and fitted to the data if they are images of known extents. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::EncoderSpec> EncoderOf(const WorkSpec& spec);

// Whether codes have places, as those of convolutions do: they cost more, and a few rows tell as much of the weights.
bool HasPlaces(const v1::EncoderSpec& encoder);

// DATA-UNITS, or of another kind than the first DATA-OPTION-VALUE, such as images-maps-16: one trained encoder serves
// every k.
std::string ModelName(const WorkSpec& spec);

// That encoder: trained for a short while on data=NAME, or as it was trained the last time (kept in the inputs as
// NAME.bundle, its tensors as npy files in NAME for other programs); or with weights=random one that nobody trained,
// for rows of `width`.
absl::StatusOr<ModelBundle> ModelOf(const WorkSpec& spec, const WorkOptions& options, int64_t width,
                                    std::shared_ptr<Backend> backend);

// A job that trains it on the first `max_rows` of data=NAME; resolved. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::JobSpec> JobOf(const WorkSpec& spec, int64_t epochs, int64_t batch, int64_t max_rows);

// Writes each tensor as an npy file to the inputs' folder NAME, over what was there.
absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors);

}  // namespace kwta::bench
