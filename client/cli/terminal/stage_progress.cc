#include "client/cli/terminal/stage_progress.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/str_format.h"

namespace kwta::client::cli {

StageProgress::StageProgress(Elsewhere elsewhere) : elsewhere_(elsewhere), line_(STDERR_FILENO) {}

StageProgress::~StageProgress() { Finish(); }

void StageProgress::Start(const std::string& stage) {
  const absl::MutexLock lock(&mutex_);
  stage_ = stage;
  percent_ = -1;
  if (line_.on_terminal()) {
    line_.Show(stage_);
  } else if (elsewhere_ == Elsewhere::kLineAStage) {
    std::cerr << stage_ << std::endl;
  }
}

void StageProgress::Update(double fraction) {
  const absl::MutexLock lock(&mutex_);
  const int percent = static_cast<int>(100 * std::clamp(fraction, 0.0, 1.0));
  if (percent == percent_) return;
  percent_ = percent;
  line_.Show(absl::StrFormat("%s %d%%", stage_, percent));
}

void StageProgress::Finish() {
  const absl::MutexLock lock(&mutex_);
  line_.Clear();
}

}  // namespace kwta::client::cli
