// The function of a unit's mean activity that a sparse autoencoder adds to its loss.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/backends/regularised_args.h"

namespace kwta {

// f(rho) and f'(rho); see SparsityPenalty.
struct SparsityPoint {
  double value = 0, slope = 0;
};

KWTA_HOST_DEVICE inline SparsityPoint SparsityAt(const SparsityPenalty& penalty, double rho) {
  const double target = penalty.target;
  const double inside = std::clamp(rho, target / 1000, double{penalty.limit});
  double value = -(1 - target) * std::log1p(-inside), slope = (1 - target) / (1 - inside);
  if (target > 0) {
    value += target * std::log(target / inside) + (1 - target) * std::log1p(-target);
    slope -= target / inside;
  }
  return {value + slope * (rho - inside), slope};
}

// The running mean after a batch whose mean is `mean`.
KWTA_HOST_DEVICE inline double NextMeanActivity(const SparsityPenalty& penalty, double running, double mean) {
  return running < 0 ? mean : penalty.mean_decay * running + (1 - double{penalty.mean_decay}) * mean;
}

}  // namespace kwta
