// How hyperparameters change over the updates of a training run. (The sparsity schedule belongs to the learner.)
#pragma once

#include <cstdint>

namespace kwta {

// The learning rate of each update: `initial` over the first half of the updates, then falling linearly to `final` at
// the last one. Plain data.
class LearningRateSchedule {
 public:
  // REQUIRES: updates >= 1.
  LearningRateSchedule(double initial, double final, int64_t updates)
      : initial_(initial), final_(final), updates_(updates) {}

  // REQUIRES: 0 <= update < updates.
  double At(int64_t update) const;

 private:
  double initial_;
  double final_;
  int64_t updates_;
};

// The fraction of a rate that remains before each update: falls linearly from 1 at the first to 0 after the last.
// REQUIRES: 0 <= update <= updates, updates >= 1.
double LinearFall(int64_t update, int64_t updates);

}  // namespace kwta
