#include "server/compute_priority.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace kwta::server {
namespace {

// A third of the weight of the other threads when all want to run; far above that of a trainer.
constexpr int kNiceness = 5;

}  // namespace

void LowerPriorityOfComputing() {
  const auto thread = static_cast<id_t>(::gettid());
  errno = 0;
  const int now = ::getpriority(PRIO_PROCESS, thread);
  if (errno == 0) ::setpriority(PRIO_PROCESS, thread, now + kNiceness);  // it may always be lowered
}

}  // namespace kwta::server
