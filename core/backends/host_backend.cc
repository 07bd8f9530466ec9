#include "core/backends/host_backend.h"

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"

namespace kwta {
namespace {

// More than today's processors can address for one process: a size above it is a mistake, not a request.
constexpr size_t kMaxBytes = size_t{1} << 47;

}  // namespace

absl::StatusOr<Buffer> AllocateHost(size_t bytes) {
  if (bytes == 0) return Buffer();
  void* memory = nullptr;
  if (bytes <= kMaxBytes) memory = std::aligned_alloc(64, RoundUp(bytes, 64));
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for an array of ", bytes, " bytes; use fewer units or smaller batches"));
  }
  std::memset(memory, 0, bytes);
  return Buffer(memory, bytes, [](void* data) { std::free(data); });
}

absl::Status HostBackend::CopyFromHost(const void* host, void* device, size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
  return absl::OkStatus();
}

absl::Status HostBackend::CopyToHost(const void* device, void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
  return absl::OkStatus();
}

}  // namespace kwta
