// Says when too many units of a model are dead, and what to try.
#pragma once

#include <cstdint>
#include <string>

#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Returns what to tell whoever trained a model of which `dead` of `units` units were in no code of the last epoch;
// empty if they are a tenth at most. `encoder` is that of the model, and `could_subtract_mean` says whether that is
// something to try.
std::string DeadUnitsWarning(int64_t dead, int64_t units, const v1::EncoderSpec& encoder, bool could_subtract_mean);

}  // namespace kwta
