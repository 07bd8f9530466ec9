// Shows on standard error what a command is doing.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/cli/terminal/live_line.h"

namespace kwta::client::cli {

// Shows one stage after another on a line that is rewritten. Thread-safe.
class StageProgress {
 public:
  // What to show if standard error is not a terminal.
  enum class Elsewhere { kLineAStage, kNothing };
  explicit StageProgress(Elsewhere elsewhere = Elsewhere::kLineAStage);
  // Finishes.
  ~StageProgress();

  void Start(const std::string& stage);
  // Sets the finished fraction of the stage, 0 .. 1.
  void Update(double fraction);
  // Clears the line for the next output.
  void Finish();

 private:
  const Elsewhere elsewhere_;
  absl::Mutex mutex_;
  LiveLine line_ ABSL_GUARDED_BY(mutex_);
  std::string stage_ ABSL_GUARDED_BY(mutex_);
  int percent_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace kwta::client::cli
