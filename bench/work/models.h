// The measured encoders. The words of a description define them: FIELD=VALUE is the option --FIELD of `kwta train`,
// such as units=1000 k=75 or maps=16. encoder=NAME names the kind of encoder; without it, the kind is the first whose
// leading option is given (units for k-sparse, maps for winner-take-all). data=images are 28x28 pixels, data=colour
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

// Returns a resolved spec, fitted to the data if they are images of known extents. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::EncoderSpec> EncoderOf(const WorkSpec& spec);

// Whether codes have places, as convolutions do. They cost more, and a few rows say as much about the weights.
bool HasPlaces(const v1::EncoderSpec& encoder);

// DATA-UNITS, or DATA-OPTION-VALUE for kinds other than the first, such as images-maps-16. One trained encoder serves
// every k.
std::string ModelName(const WorkSpec& spec);

// Returns that encoder, with the weights of an earlier call if the inputs have them as NAME.bundle (and its tensors as
// npy files in NAME for other programs), otherwise after a short training on data=NAME. With weights=random the weights
// are untrained, for rows of `width`.
absl::StatusOr<ModelBundle> ModelOf(const WorkSpec& spec, const WorkOptions& options, int64_t width,
                                    std::shared_ptr<Backend> backend);

// Returns a resolved job that trains it on the first `max_rows` of data=NAME. Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::JobSpec> JobOf(const WorkSpec& spec, int64_t epochs, int64_t batch, int64_t max_rows);

// Writes each tensor as an npy file to the inputs' folder NAME and overwrites existing files.
absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors);

}  // namespace kwta::bench
