#include "server/jobs/progress_filter.h"

#include <algorithm>

#include "core/base/divide_up.h"

namespace kwta::server {
namespace {

constexpr uint32_t kEpochsKept = 1000;
constexpr int kHeartbeatFraction = 1000;

}  // namespace

bool ProgressFilter::Keep(const v1::TrainingProgress& progress, SteadyTime now) {
  const uint32_t stride = std::max<uint32_t>(1, DivideUp(progress.epochs(), kEpochsKept));
  const uint32_t epoch = progress.epochs_done();
  const bool epoch_due = epoch > last_epoch_ && (epoch / stride > last_epoch_ / stride || epoch == progress.epochs());
  const absl::Duration heartbeat = std::max(absl::Seconds(1), (now - start_) / kHeartbeatFraction);
  if (!epoch_due && now - last_kept_ < heartbeat) return false;
  last_epoch_ = std::max(last_epoch_, epoch);
  last_kept_ = now;
  return true;
}

}  // namespace kwta::server
