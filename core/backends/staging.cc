#include "core/backends/staging.h"

#include "core/base/status_macros.h"

namespace kwta {

absl::StatusOr<StagedInput> StagedInput::Create(Backend& backend, const void* host, size_t bytes) {
  StagedInput staged;
  KWTA_RETURN_IF_ERROR(staged.Stage(backend, host, bytes));
  return staged;
}

absl::Status StagedInput::Stage(Backend& backend, const void* host, size_t bytes) {
  address_ = host;
  if (backend.host_accessible()) return absl::OkStatus();
  KWTA_RETURN_IF_ERROR(Reserve(backend, bytes, &copy_));
  KWTA_RETURN_IF_ERROR(backend.CopyFromHost(host, copy_.as<void>(), bytes));
  address_ = copy_.as<void>();
  return absl::OkStatus();
}

absl::StatusOr<StagedOutput> StagedOutput::Create(Backend& backend, void* host, size_t bytes) {
  StagedOutput staged;
  staged.host_ = host;
  if (!backend.host_accessible()) {
    KWTA_ASSIGN_OR_RETURN(staged.memory_, backend.Allocate(bytes));
  }
  return staged;
}

absl::Status StagedOutput::Finish(Backend& backend) {
  if (memory_.bytes() == 0) return absl::OkStatus();
  return backend.CopyToHost(memory_.as<void>(), host_, memory_.bytes());
}

absl::StatusOr<Buffer> CopyToBackend(Backend& backend, const void* host, size_t bytes) {
  KWTA_ASSIGN_OR_RETURN(Buffer buffer, backend.Allocate(bytes));
  KWTA_RETURN_IF_ERROR(backend.CopyFromHost(host, buffer.as<void>(), bytes));
  return buffer;
}

absl::Status Reserve(Backend& backend, size_t bytes, Buffer* buffer) {
  if (buffer->bytes() >= bytes) return absl::OkStatus();
  *buffer = Buffer();
  KWTA_ASSIGN_OR_RETURN(*buffer, backend.Allocate(bytes));
  return absl::OkStatus();
}

}  // namespace kwta
