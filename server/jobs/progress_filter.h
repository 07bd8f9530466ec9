// Chooses which progress reports enter a job's history, so that the history stays small however long the job runs.
#pragma once

#include <cstdint>

#include "core/base/steady_time.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

// Filters one run of a job. Keeps at most about 1000 reports of completed epochs, evenly spaced, and always the last
// epoch's. Keeps a report within an epoch if nothing was kept for a second and for a thousandth of the run's time so
// far. Not thread-safe.
class ProgressFilter {
 public:
  explicit ProgressFilter(SteadyTime start) : start_(start), last_kept_(start) {}

  bool Keep(const v1::TrainingProgress& progress, SteadyTime now);

 private:
  const SteadyTime start_;
  SteadyTime last_kept_;
  uint32_t last_epoch_ = 0;
};

}  // namespace kwta::server
