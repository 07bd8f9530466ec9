// Which reports of progress become part of a job's history, so that the history stays small however long a job runs.
#pragma once

#include <cstdint>

#include "core/base/steady_time.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

// For one run of a job. Keeps at most about 1000 reports of completed epochs, evenly spaced, the last epoch among them;
// and reports within epochs when nothing was kept for a second and for a thousandth of the time that the run has taken.
// Not thread-safe.
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
