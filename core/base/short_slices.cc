#include "core/base/short_slices.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace kwta {
namespace {

// As the kernel's interface has it; the C library has neither the structure nor the calls.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;  // nanoseconds; of an ordinary thread its slice
  uint64_t deadline = 0;
  uint64_t period = 0;
};

constexpr uint64_t kSlice = 100'000;  // the shortest that the system takes

bool Get(SchedulingAttributes* attributes) {
  return ::syscall(SYS_sched_getattr, 0, attributes, sizeof(*attributes), 0) == 0;
}

}  // namespace

bool AskForShortSlices() {
  SchedulingAttributes attributes;
  if (!Get(&attributes) || attributes.policy != SCHED_OTHER) return false;
  attributes.size = sizeof(attributes);
  attributes.runtime = kSlice;
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) return false;
  // Older systems ignore the slice.
  return Get(&attributes) && attributes.runtime == kSlice;
}

}  // namespace kwta
