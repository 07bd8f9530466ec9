#include "client/cli/stage_progress.h"

#include <iostream>

#include "absl/strings/str_format.h"

namespace kwta::client::cli {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

StageProgress::~StageProgress() {
  if (terminal_) std::cerr << kEraseLine << std::flush;
}

void StageProgress::Start(const std::string& stage) {
  const absl::MutexLock lock(&mutex_);
  stage_ = stage;
  percent_ = -1;
  if (terminal_) {
    std::cerr << kEraseLine << stage_ << std::flush;
  } else {
    std::cerr << stage_ << std::endl;
  }
}

void StageProgress::Update(double fraction) {
  const absl::MutexLock lock(&mutex_);
  const int percent = static_cast<int>(100 * fraction);
  if (!terminal_ || percent == percent_) return;
  percent_ = percent;
  std::cerr << kEraseLine << absl::StrFormat("%s %d%%", stage_, percent) << std::flush;
}

}  // namespace kwta::client::cli
