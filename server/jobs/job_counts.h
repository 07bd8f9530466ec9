// How many jobs there are.
#pragma once

#include <cstdint>

namespace kwta::server {

// Jobs by state.
struct JobCounts {
  uint32_t queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0;
};

}  // namespace kwta::server
