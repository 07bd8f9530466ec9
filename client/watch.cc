// WatchJob: receives the events of a job over as many streams as needed.
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

// Builds the last event that a finished job must have had.
v1::JobEvent FinalEvent(v1::Job job) {
  v1::JobEvent event;
  event.set_sequence(job.last_sequence());
  event.set_state(job.state());
  event.set_model_version(job.model_version());
  *event.mutable_time() = job.finished();
  if (job.has_progress()) *event.mutable_progress() = std::move(*job.mutable_progress());
  if (job.has_error()) *event.mutable_error() = std::move(*job.mutable_error());
  return event;
}

}  // namespace

absl::StatusOr<v1::JobEvent> Client::WatchJob(const std::string& job_id, const WatchOptions& watch,
                                              const std::function<bool(const v1::JobEvent&)>& on_event) {
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  request.set_after_sequence(watch.after_sequence);
  KWTA_RETURN_IF_ERROR(CheckText(request));
  Backoff backoff(options().retry);
  v1::JobEvent last;
  absl::Time give_up = absl::InfinitePast();  // Until the server is reached, the number of attempts counts.
  for (;;) {
    grpc::ClientContext context;
    auto stream = connection_->stub().WatchJob(&context, request);
    v1::JobEvent event;
    bool received = false;
    while (stream->Read(&event)) {
      received = true;
      last = event;
      request.set_after_sequence(event.sequence());
      if (!on_event(event)) {
        context.TryCancel();
        stream->Finish().IgnoreError();
        return last;
      }
    }
    absl::Status status = FromGrpcUncancelled(stream->Finish());
    if (IsFinal(last.state())) return last;
    if (status.ok()) {
      // Either every event of a finished job was already seen, or the server is about to stop.
      auto job = GetJob(job_id);
      if (job.ok() && IsFinal(job->state())) return FinalEvent(*std::move(job));
      status = NotReached(absl::StrCat("the server stopped reporting on job '", job_id, "' before its end"));
    }
    if (!absl::IsUnavailable(status)) return status;
    if (received) {
      backoff.Reset();
      give_up = absl::Now() + watch.reconnect_for;
    }
    const bool lost = give_up != absl::InfinitePast();
    if (lost ? absl::Now() >= give_up : backoff.pauses() + 1 >= options().retry.attempts) return status;
    if (watch.on_lost) watch.on_lost(status);
    absl::SleepFor(backoff.Next());
  }
}

}  // namespace kwta::client
