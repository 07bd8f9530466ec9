// The pipe on which a trainer tells its server how it is doing.
#pragma once

#include "absl/status/status.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

// Writes length-delimited v1.TrainerReport messages to a file descriptor that somebody else owns. Not thread-safe.
class ReportPipe {
 public:
  // REQUIRES: SIGPIPE is ignored in this process.
  explicit ReportPipe(int descriptor) : descriptor_(descriptor) {}

  // False once the reader is gone; nothing is written from then on.
  bool Send(const v1::TrainerReport& report);
  // Sends how `status` ended the job: interrupted if it is CANCELLED, failed otherwise. REQUIRES: status is not OK.
  bool SendEnd(const absl::Status& status);

 private:
  const int descriptor_;
  bool broken_ = false;
};

}  // namespace kwta::server
