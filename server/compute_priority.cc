#include "server/compute_priority.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace kwta::server {
namespace {

// Gives a third of the weight of the other threads when all want to run; far above a trainer's.
constexpr int kNiceness = 5;

}  // namespace

void LowerPriorityOfComputing() {
  const auto thread = static_cast<id_t>(::gettid());
  errno = 0;
  const int now = ::getpriority(PRIO_PROCESS, thread);
  if (errno == 0) ::setpriority(PRIO_PROCESS, thread, now + kNiceness);  // lowering is always allowed
}

}  // namespace kwta::server
