#include "server/services/call_permits.h"

#include "absl/strings/str_cat.h"

namespace kwta::server {

absl::StatusOr<CallPermits::Permit> CallPermits::Take() {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the server is draining; try again, at another server if there is one");
  if (taken_ >= limit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the server answers ", limit_, " calls already (--max-concurrent-calls); try again later"));
  }
  ++taken_;
  return Permit(this);
}

void CallPermits::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool CallPermits::WaitUntilIdle(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return taken_ == 0; };
  return mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

void CallPermits::GiveBack() {
  absl::MutexLock lock(&mutex_);
  --taken_;
}

}  // namespace kwta::server
