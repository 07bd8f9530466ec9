#include "core/backends/onednn/support/scratch.h"

#include "core/backends/host_backend.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::support {

absl::StatusOr<ScratchPool::Lease> ScratchPool::Take(size_t bytes) {
  {
    absl::MutexLock lock(&mutex_);
    if (!free_.empty()) {
      Buffer memory = std::move(free_.back());
      free_.pop_back();
      if (memory.bytes() >= bytes) return Lease(this, std::move(memory));
      // Too small: it is freed here, and a larger one replaces it for good.
    }
  }
  // Calls leave room for rare cases.
  KWTA_ASSIGN_OR_RETURN(Buffer memory, AllocateHost(bytes, Pages::kSmall));
  return Lease(this, std::move(memory));
}

void ScratchPool::Return(Buffer memory) {
  absl::MutexLock lock(&mutex_);
  free_.push_back(std::move(memory));
}

}  // namespace kwta::onednn::support
