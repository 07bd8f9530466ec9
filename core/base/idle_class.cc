#include "core/base/idle_class.h"

#include <sched.h>

#include <chrono>

namespace kwta {
namespace {

// A look costs two calls of the system, a hundredth of this.
constexpr std::chrono::microseconds kBetweenYields{50};

}  // namespace

bool YieldInIdleClass() {
  thread_local std::chrono::steady_clock::time_point last;
  const auto now = std::chrono::steady_clock::now();
  if (now - last < kBetweenYields) return false;
  last = now;
  if (::sched_getscheduler(0) != SCHED_IDLE) return false;
  ::sched_yield();
  return true;
}

}  // namespace kwta
