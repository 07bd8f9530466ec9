// How a caller follows, interrupts and resumes a training run. Nothing here changes what is trained.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "kwta/v1/job.pb.h"

namespace kwta {

struct TrainingControl {
  // Directory of checkpoints and scratch files. If empty, no checkpoints are written or read, and scratch files go to
  // the system's temporary directory.
  std::string checkpoint_directory;
  // Called after each epoch and about every report_seconds within one, on the thread that trains. May be empty.
  std::function<void(const v1::TrainingProgress&)> report;
  double report_seconds = 0.5;
  // Once this is true, training stops after the current update, writes a checkpoint and returns CANCELLED. May be null.
  const std::atomic<bool>* stop = nullptr;
};

}  // namespace kwta
