#include "server/jobs/trainer_priority.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

int64_t SinceTheBeginning(SteadyTime time) { return absl::ToInt64Nanoseconds(time - SteadyTime::At({})); }

// Moves all threads of a process to a scheduling policy. Returns false if the system forbids it.
bool SetPolicy(pid_t process, int policy) {
  const sched_param no_parameters = {};
  std::error_code error;
  bool allowed = true;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", process, "/task"), error)) {
    const pid_t thread = std::atoi(task.path().filename().c_str());
    if (::sched_getscheduler(thread) == policy) continue;
    if (::sched_setscheduler(thread, policy, &no_parameters) != 0 && errno == EPERM) allowed = false;
  }
  return allowed;
}

}  // namespace

void TrainerPriority::Add(pid_t trainer, SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  trainers_.insert(trainer);
  yields_ = SinceTheBeginning(now) - last_use_ < absl::ToInt64Nanoseconds(kQuiet);
  if (yields_) SetPolicy(trainer, SCHED_IDLE);
}

void TrainerPriority::Remove(pid_t trainer) {
  absl::MutexLock lock(&mutex_);
  trainers_.erase(trainer);
  if (trainers_.empty()) yields_ = false;
}

void TrainerPriority::EncodeIsInUse(SteadyTime now) {
  last_use_.store(SinceTheBeginning(now), std::memory_order_relaxed);
  if (yields_.load(std::memory_order_relaxed)) return;
  absl::MutexLock lock(&mutex_);
  if (!trainers_.empty()) Apply(true);
}

void TrainerPriority::Look(SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  if (!yields_) return;
  // Also moves threads that were made meanwhile by threads that had not moved yet.
  Apply(SinceTheBeginning(now) - last_use_.load(std::memory_order_relaxed) < absl::ToInt64Nanoseconds(kQuiet));
}

void TrainerPriority::Apply(bool yields) {
  yields_ = yields;
  for (const pid_t trainer : trainers_) {
    if (SetPolicy(trainer, yields ? SCHED_IDLE : SCHED_OTHER) || told_) continue;
    told_ = true;
    spdlog::warn(
        "trainers stay in the idle class after the first call of Encode: the system does not let them leave it, and "
        "beside other busy programs they hardly run; raise RLIMIT_NICE (LimitNICE= of systemd, --ulimit nice= of "
        "Docker) to 20 less --trainer-niceness");
  }
}

}  // namespace kwta::server
