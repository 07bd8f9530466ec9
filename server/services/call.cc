#include "server/services/call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/refusal.h"
#include "server/retry_after.h"
#include "server/services/call_trace.h"

namespace kwta::server {
namespace {

constexpr char kAuthorization[] = "authorization";
constexpr char kPushback[] = "grpc-retry-pushback-ms";

// When refused callers may try again, if the refusal does not say.
constexpr absl::Duration kUsualPause = absl::Milliseconds(100);
constexpr absl::Duration kShortestPause = absl::Milliseconds(10);
constexpr absl::Duration kLongestPause = absl::Seconds(60);

absl::Status TakeCall(const Caller& caller, SteadyTime now) {
  const absl::Status taken = caller.calls != nullptr ? caller.calls->Take(1, now) : absl::OkStatus();
  return absl::IsResourceExhausted(taken) ? Refused(Refusal::kCallQuota, taken) : taken;
}

}  // namespace

Call::Call(const CallPipeline* pipeline, const Method* method, CallTransport* transport)
    : pipeline_(*pipeline), method_(*method), transport_(*transport), start_(SteadyTime::Now()) {}

absl::Status Call::Admit() {
  if (pipeline_.authenticator == nullptr) {
    caller_.name = transport_.Peer();
  } else {
    KWTA_ASSIGN_OR_RETURN(caller_,
                          pipeline_.authenticator->Authenticate(transport_.Metadata(kAuthorization), method_.scope));
    KWTA_RETURN_IF_ERROR(TakeCall(caller_, start_));
  }
  KWTA_ASSIGN_OR_RETURN(CallPermits::Permit permit, pipeline_.permits->Take(caller_.name));
  permit_.emplace(std::move(permit));
  paid_ = true;
  return absl::OkStatus();
}

absl::Status Call::AllowMessage() {
  if (pipeline_.authenticator == nullptr) return absl::OkStatus();
  return pipeline_.authenticator->Confirm(transport_.Metadata(kAuthorization), method_.scope, &caller_);
}

absl::StatusOr<StreamRequest> Call::BeginRequest() {
  KWTA_RETURN_IF_ERROR(AllowMessage());
  StreamRequest request;
  request.start = SteadyTime::Now();
  if (!std::exchange(paid_, false)) request.refusal = TakeCall(caller_, request.start);
  return request;
}

void Call::EndRequest(const StreamRequest& request, const absl::Status& status) const {
  pipeline_.metrics->CallDone(method_.name, status, absl::ToDoubleSeconds(SteadyTime::Now() - request.start),
                              request.subject);
}

CallContext Call::ContextWith(RequestSubject* subject) const {
  CallContext context;
  context.deadline = transport_.Deadline();
  context.cancelled = [transport = &transport_] { return transport->Cancelled(); };
  context.caller = caller_.name;
  context.patient = method_.kind == MethodKind::kRequests;  // a stream has its own back-pressure
  context.row_quota = caller_.rows;
  context.subject = subject;
  return context;
}

void Call::Finish(const absl::Status& status) {
  const absl::Duration took = SteadyTime::Now() - start_;
  if (method_.kind == MethodKind::kAnswer) {
    pipeline_.metrics->CallDone(method_.name, status, absl::ToDoubleSeconds(took), subject_);
  } else if (method_.kind == MethodKind::kWatch || !status.ok()) {
    pipeline_.metrics->CallDone(method_.name, status, std::nullopt, subject_);
  }
  const CallTrace trace = TraceOf(transport_.Metadata(kRequestIdKey), transport_.Metadata(kTraceparentKey));
  LogCall(method_.name, caller_.name, trace, status, took);
  if (!trace.request_id.empty()) transport_.AddTrailing(kRequestIdKey, trace.request_id);
  if (!trace.traceparent.empty()) transport_.AddTrailing(kTraceparentKey, trace.traceparent);
  if (!absl::IsResourceExhausted(status)) return;
  const absl::Duration pause = std::clamp(RetryAfter(status).value_or(kUsualPause), kShortestPause, kLongestPause);
  transport_.AddTrailing(kPushback, absl::StrCat(absl::ToInt64Milliseconds(pause)));
}

}  // namespace kwta::server
