#include "core/backends/cuda/work.h"

#include "absl/strings/str_cat.h"

namespace kwta::cuda {

absl::Status TooLarge(absl::string_view what, int64_t wanted, int64_t most) {
  return absl::ResourceExhaustedError(absl::StrCat("it takes ", wanted, " ", what, "; a device does at most ", most,
                                                   ": use fewer units or smaller batches"));
}

void* Work::TemporaryBytes(int64_t bytes) {
  if (bytes == 0 || !status_.ok()) return nullptr;
  const absl::StatusOr<void*> memory = device_.Allocate(static_cast<size_t>(bytes));
  Note(memory.status());
  if (!memory.ok()) return nullptr;
  temporary_.push_back(*memory);
  return *memory;
}

void Work::Submit() {
  if (!commands_.empty() && status_.ok()) Note(device_.Submit(operation_, commands_));
  commands_.clear();
}

void Work::Note(const absl::Status& status) {
  if (status.ok() || !status_.ok()) return;
  status_ = absl::Status(status.code(), absl::StrCat(operation_, ": ", status.message()));
}

}  // namespace kwta::cuda
