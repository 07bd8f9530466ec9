// How long an update leaves the rows of a matrix.
#pragma once

#include <cmath>

#include "core/base/host_device.h"

namespace kwta {

// The factor that brings a row with this sum of squares to length 1 if `unit_norm`, or shortens it to `max_norm` if
// that is above 0 and the row is longer. A row of zeros stays.
KWTA_HOST_DEVICE inline double LengthFactor(bool unit_norm, float max_norm, double squared_norm) {
  if (squared_norm == 0) return 1;
  if (unit_norm) return 1 / sqrt(squared_norm);
  const double longest = max_norm;
  return longest > 0 && squared_norm > longest * longest ? longest / sqrt(squared_norm) : 1;
}

}  // namespace kwta
