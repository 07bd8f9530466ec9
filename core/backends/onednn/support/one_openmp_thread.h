// Keeps oneDNN to the calling thread.
#pragma once

#include <omp.h>

namespace kwta {

// The library's OpenMP regions run on the calling thread alone while this lives; then the caller's setting is as it
// was.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneOpenMpThread() { omp_set_num_threads(before_); }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  const int before_;
};

}  // namespace kwta
