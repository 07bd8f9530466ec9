#include "server/jobs/job_events.h"

#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"

namespace kwta::server {

bool IsFinal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_CANCELLED;
}

const char* JobStateName(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
      return "queued";
    case v1::JOB_STATE_RUNNING:
      return "running";
    case v1::JOB_STATE_SUCCEEDED:
      return "succeeded";
    case v1::JOB_STATE_FAILED:
      return "failed";
    case v1::JOB_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  const int64_t nanoseconds = absl::ToUnixNanos(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(nanoseconds / 1'000'000'000);
  timestamp.set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  return timestamp;
}

v1::Failure ToFailure(const absl::Status& status) {
  v1::Failure failure;
  failure.set_code(static_cast<int32_t>(status.code()));
  failure.set_message(ToUtf8(status.message()));
  return failure;
}

v1::JobEvent StateEvent(v1::JobState state, absl::Time time) {
  v1::JobEvent event;
  event.set_state(state);
  *event.mutable_time() = ToTimestamp(time);
  return event;
}

v1::JobEvent ProgressEvent(const v1::TrainingProgress& progress, absl::Time time) {
  v1::JobEvent event = StateEvent(v1::JOB_STATE_RUNNING, time);
  *event.mutable_progress() = progress;
  return event;
}

v1::JobEvent SucceededEvent(uint64_t model_version, absl::Time time) {
  v1::JobEvent event = StateEvent(v1::JOB_STATE_SUCCEEDED, time);
  event.set_model_version(model_version);
  return event;
}

v1::JobEvent FailedEvent(const absl::Status& error, absl::Time time) {
  v1::JobEvent event = StateEvent(v1::JOB_STATE_FAILED, time);
  *event.mutable_error() = ToFailure(error);
  return event;
}

namespace {

constexpr char kEndedPayload[] = "kwta.job-has-ended";

}  // namespace

bool JobHasEnded(const absl::Status& status) { return status.GetPayload(kEndedPayload).has_value(); }

absl::Status ApplyEvent(v1::JobEvent* event, v1::Job* job) {
  if (IsFinal(job->state())) {
    absl::Status ended = absl::FailedPreconditionError(
        absl::StrCat("job '", job->id(), "' has already ended: it is ", JobStateName(job->state())));
    ended.SetPayload(kEndedPayload, absl::Cord());
    return ended;
  }
  event->set_sequence(job->last_sequence() + 1);
  job->set_last_sequence(event->sequence());
  if (event->state() == v1::JOB_STATE_RUNNING && job->state() != v1::JOB_STATE_RUNNING) {
    job->set_attempts(job->attempts() + 1);
    if (!job->has_started()) *job->mutable_started() = event->time();
  }
  job->set_state(event->state());
  if (event->has_progress()) *job->mutable_progress() = event->progress();
  if (IsFinal(event->state())) *job->mutable_finished() = event->time();
  if (event->has_error()) *job->mutable_error() = event->error();
  job->set_model_version(event->model_version());
  return absl::OkStatus();
}

}  // namespace kwta::server
