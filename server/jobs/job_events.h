// How events change a job: the rules that every job store shares.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

// True for the states that a job never leaves.
bool IsFinal(v1::JobState state);
// "queued", "running", ...
const char* JobStateName(v1::JobState state);

google::protobuf::Timestamp ToTimestamp(absl::Time time);
// Converts a status. The message is made valid UTF-8, because file names and output of other programs may not be.
v1::Failure ToFailure(const absl::Status& status);

// Make events to append. The store numbers them.
v1::JobEvent StateEvent(v1::JobState state, absl::Time time);
v1::JobEvent ProgressEvent(const v1::TrainingProgress& progress, absl::Time time);
v1::JobEvent SucceededEvent(uint64_t model_version, absl::Time time);
v1::JobEvent FailedEvent(const absl::Status& error, absl::Time time);

// Numbers the event and applies it to `job`. Errors: FAILED_PRECONDITION if the job has ended; JobHasEnded tells this
// from other FAILED_PRECONDITION errors.
absl::Status ApplyEvent(v1::JobEvent* event, v1::Job* job);
bool JobHasEnded(const absl::Status& status);

}  // namespace kwta::server
