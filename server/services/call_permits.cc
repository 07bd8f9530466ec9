#include "server/services/call_permits.h"

#include "absl/strings/str_cat.h"
#include "server/refusal.h"

namespace kwta::server {

namespace {

// One in this many permits is kept for callers that hold few.
constexpr int kReservedPart = 8;

}  // namespace

absl::StatusOr<CallPermits::Permit> CallPermits::Take(const std::string& caller) {
  absl::MutexLock lock(&mutex_);
  if (closed_) {
    return Refused(Refusal::kDraining,
                   absl::UnavailableError("the server is draining; try again, at another server if there is one"));
  }
  if (taken_ >= limit_) {
    return Refused(Refusal::kConcurrentCalls,
                   absl::ResourceExhaustedError(absl::StrCat(
                       "the server answers ", limit_, " calls already (--max-concurrent-calls); try again later")));
  }
  const auto found = holders_.find(caller);
  const int held = found == holders_.end() ? 0 : found->second;
  const int free_to_all = limit_ - limit_ / kReservedPart;
  const int callers = static_cast<int>(holders_.size()) + (held == 0 ? 1 : 0);
  if (taken_ >= free_to_all && held >= free_to_all / callers) {
    return Refused(Refusal::kConcurrentCalls,
                   absl::ResourceExhaustedError(absl::StrCat(
                       "the server answers ", held, " calls of this caller already and has ", limit_ - taken_, " of ",
                       limit_, " left, which are for others (--max-concurrent-calls); try again later")));
  }
  ++taken_;
  const auto holder = holders_.try_emplace(caller).first;
  ++holder->second;
  return Permit(this, holder);
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

void CallPermits::GiveBack(Holders::iterator holder) {
  absl::MutexLock lock(&mutex_);
  --taken_;
  if (--holder->second == 0) holders_.erase(holder);
}

}  // namespace kwta::server
