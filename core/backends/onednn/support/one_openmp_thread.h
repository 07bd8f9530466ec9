// Keeps oneDNN to the calling thread.
#pragma once

#include <omp.h>

namespace kwta::onednn::support {

// While this lives, the library's OpenMP regions run on the calling thread alone. The destructor restores the caller's
// setting.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneOpenMpThread() { omp_set_num_threads(before_); }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  const int before_;
};

}  // namespace kwta::onednn::support
