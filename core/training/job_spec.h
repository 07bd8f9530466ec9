// Defaults and ranges of a training job.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fills in every default of `spec` and checks it, as far as that is possible without the data. Resolving a resolved
// spec changes nothing. Errors: INVALID_ARGUMENT or NOT_FOUND naming the field, its value and its range.
absl::Status ResolveJobSpec(v1::JobSpec* spec);

}  // namespace kwta
