// What the operating system knows of this process.
#pragma once

namespace kwta::server {

struct ProcessStats {
  double resident_bytes = 0;
  double open_fds = 0;
  double cpu_seconds = 0;  // user and system
};

// Zero where /proc does not tell.
ProcessStats ReadProcessStats();

}  // namespace kwta::server
