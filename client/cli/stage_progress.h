// What a command is busy with, on standard error.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::client::cli {

// One stage after another: a line that is rewritten on a terminal, and elsewhere a line a stage. Thread-safe.
class StageProgress {
 public:
  explicit StageProgress(bool terminal) : terminal_(terminal) {}
  ~StageProgress();

  void Start(const std::string& stage);
  // How much of the stage is done, 0 .. 1.
  void Update(double fraction);

 private:
  const bool terminal_;
  absl::Mutex mutex_;
  std::string stage_ ABSL_GUARDED_BY(mutex_);
  int percent_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace kwta::client::cli
