#include "core/base/processor_share.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace kwta {

std::optional<double> ProcessorShare::Take() {
  std::map<int, Times> now;
  uint64_t run = 0, waited = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    Times times;
    std::ifstream file(task.path() / "schedstat");
    if (!(file >> times.run >> times.waited)) continue;  // the thread has ended, or the system keeps no times
    const int thread = std::atoi(task.path().filename().c_str());
    const Times before = seen_[thread];
    run += times.run - before.run;
    waited += times.waited - before.waited;
    now[thread] = times;
  }
  seen_ = std::move(now);
  if (run + waited == 0) return std::nullopt;
  return static_cast<double>(run) / static_cast<double>(run + waited);
}

}  // namespace kwta
