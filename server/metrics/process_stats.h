// Statistics that the operating system keeps about this process and its disk.
#pragma once

#include <string>

namespace kwta::server {

struct ProcessStats {
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double threads = 0;
  double open_fds = 0;
  double max_fds = 0;
  double cpu_seconds = 0;  // user and system
};

// Values that /proc does not provide are zero.
ProcessStats ReadProcessStats();

struct DiskSpace {
  double free_bytes = 0;  // for this user
  double size_bytes = 0;
};

// The file system that `path` is on; zeros if it cannot be asked.
DiskSpace ReadDiskSpace(const std::string& path);

}  // namespace kwta::server
