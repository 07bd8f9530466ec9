#include "server/services/grpc/unary_call.h"

#include "absl/strings/str_cat.h"

namespace kwta::server {

absl::Status BodyTimeoutError(const TimeoutList& bodies) {
  return absl::DeadlineExceededError(absl::StrCat("the message of the call was not there in full after ",
                                                  absl::FormatDuration(bodies.patience()),
                                                  " (--body-timeout-seconds); send it faster, or less at once"));
}

}  // namespace kwta::server
