// Says when too many units of a model are dead, and what to try.
#pragma once

#include <cstdint>
#include <string>

namespace kwta {

// Returns what to tell whoever trained a model of which `dead` of `units` units were in no code of the last epoch;
// empty if they are a tenth at most.
std::string DeadUnitsWarning(int64_t dead, int64_t units);

}  // namespace kwta
