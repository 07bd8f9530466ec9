#include "server/metrics/process_stats.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace kwta::server {
namespace {

double EntriesOf(const char* directory) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(directory, error);
  return error ? 0 : static_cast<double>(std::distance(begin(entries), end(entries)));
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  double total_pages = 0, resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> total_pages >> resident_pages) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    stats.virtual_bytes = total_pages * page;
    stats.resident_bytes = resident_pages * page;
  }
  stats.threads = EntriesOf("/proc/self/task");
  stats.open_fds = EntriesOf("/proc/self/fd");
  rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) stats.max_fds = static_cast<double>(files.rlim_cur);
  rusage usage;
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  }
  return stats;
}

DiskSpace ReadDiskSpace(const std::string& path) {
  struct statvfs disk;
  if (::statvfs(path.c_str(), &disk) != 0) return {};
  const auto block = static_cast<double>(disk.f_frsize);
  return {static_cast<double>(disk.f_bavail) * block, static_cast<double>(disk.f_blocks) * block};
}

}  // namespace kwta::server
