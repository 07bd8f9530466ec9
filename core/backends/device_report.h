// What a backend says of the device that it computes on.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace kwta {

// A snapshot. Times are of the device, since the backend was created.
struct DeviceReport {
  std::string device;        // for people: "CUDA device 0 (NVIDIA H200)"
  int64_t memory_bytes = 0;  // of the device
  int64_t free_bytes = 0;    // of these, what nobody has taken
  int64_t used_bytes = 0;    // what the backend has allocated and not freed
  double copy_seconds = 0;   // copying to and from the device
  double kernel_seconds = 0;
  absl::Status failure;  // not OK: every operation answers it from now on
};

}  // namespace kwta
