#include "server/services/call_permits.h"

#include "absl/strings/str_cat.h"

namespace kwta::server {

absl::StatusOr<CallPermits::Permit> CallPermits::Take() {
  if (taken_.fetch_add(1) >= limit_) {
    taken_.fetch_sub(1);
    return absl::ResourceExhaustedError(
        absl::StrCat("the server answers ", limit_, " calls already (--max-concurrent-calls); try again later"));
  }
  return Permit(this);
}

}  // namespace kwta::server
