// Statistics that the operating system keeps about this process.
#pragma once

namespace kwta::server {

struct ProcessStats {
  double resident_bytes = 0;
  double open_fds = 0;
  double cpu_seconds = 0;  // user and system
};

// Values that /proc does not provide are zero.
ProcessStats ReadProcessStats();

}  // namespace kwta::server
