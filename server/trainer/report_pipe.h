// The pipe on which a trainer reports its progress to its server.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

// Writes length-delimited v1.TrainerReport messages to a file descriptor that the caller owns. Not thread-safe.
class ReportPipe {
 public:
  // REQUIRES: SIGPIPE is ignored in this process.
  explicit ReportPipe(int descriptor) : descriptor_(descriptor) {}

  // Returns false once the reader is gone; writes nothing from then on.
  bool Send(const v1::TrainerReport& report);
  // Reports how `status` ended the job: interrupted if it is CANCELLED, failed otherwise. REQUIRES: status is not OK.
  bool SendEnd(const absl::Status& status);

 private:
  const int descriptor_;
  bool broken_ = false;
};

}  // namespace kwta::server
