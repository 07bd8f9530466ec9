// What a command is busy with, on standard error.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/cli/terminal/live_line.h"

namespace kwta::client::cli {

// One stage after another, on a line that is rewritten. Thread-safe.
class StageProgress {
 public:
  // What is shown where standard error is no terminal.
  enum class Elsewhere { kLineAStage, kNothing };
  explicit StageProgress(Elsewhere elsewhere = Elsewhere::kLineAStage);
  // Finishes.
  ~StageProgress();

  void Start(const std::string& stage);
  // How much of the stage is done, 0 .. 1.
  void Update(double fraction);
  // Clears the line, for what is printed next.
  void Finish();

 private:
  const Elsewhere elsewhere_;
  absl::Mutex mutex_;
  LiveLine line_ ABSL_GUARDED_BY(mutex_);
  std::string stage_ ABSL_GUARDED_BY(mutex_);
  int percent_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace kwta::client::cli
