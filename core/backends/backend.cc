#include "core/backends/backend.h"

#include "core/base/status_macros.h"

namespace kwta {

absl::StatusOr<Buffer> AllocateZeroed(Backend& backend, size_t bytes) {
  KWTA_ASSIGN_OR_RETURN(Buffer buffer, backend.Allocate(bytes));
  KWTA_RETURN_IF_ERROR(backend.Clear(buffer.as<void>(), bytes));
  return buffer;
}

}  // namespace kwta
