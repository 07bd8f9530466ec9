// One call of Encode.
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/retry_after.h"
#include "server/services/call_trace.h"
#include "server/services/encode_calls.h"
#include "server/services/status_converter.h"

namespace kwta::server {
namespace {

// Calls that may arrive before the loop has come to the first of them.
constexpr int kListeners = 64;

// When those who were refused may come again, where the refusal does not know.
constexpr absl::Duration kUsualPause = absl::Milliseconds(100);
constexpr absl::Duration kShortestPause = absl::Milliseconds(10);
constexpr absl::Duration kLongestPause = absl::Seconds(60);

// Lives from being asked for until both the answer has left and gRPC has told that the call is over.
class EncodeCall {
 public:
  explicit EncodeCall(const EncodeCallParts* parts) : parts_(*parts) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* queue = parts_.loop->queue();
    parts_.service->RequestEncode(&context_, &request_, &responder_, queue, queue, &arrived_);
  }

 private:
  void Arrived(bool ok) {
    if (!ok) {  // the server stops; gRPC says nothing more of this call
      delete this;
      return;
    }
    new EncodeCall(&parts_);
    start_ = absl::Now();
    absl::StatusOr<Admission> admission = parts_.gate->Admit(context_, "Encode");
    if (!admission.ok()) return Answer(admission.status());
    admission_.emplace(*std::move(admission));
    CallContext context;
    context.caller = admission_->caller;
    context.row_quota = admission_->rows;
    context.deadline = absl::FromChrono(context_.deadline());
    context.cancelled = [this] { return cancelled_.load(std::memory_order_relaxed); };
    parts_.handler->Start(request_, std::move(context), [this](absl::StatusOr<EncodedRows> rows) {
      rows_ = std::move(rows);
      parts_.loop->Post([this] { Encoded(); });
    });
  }

  void Encoded() {
    v1::EncodeResponse response;
    const absl::Status status = FinishEncode(request_, rows_, &response);
    Answer(status, status.ok() ? &response : nullptr);
  }

  void Answer(const absl::Status& status, const v1::EncodeResponse* response = nullptr) {
    parts_.Record("Encode", start_, status);
    const CallTrace trace = TraceOf(context_);
    LogCall("Encode", admission_.has_value() ? admission_->caller : "", trace, status, absl::Now() - start_);
    Echo(trace, &context_);
    AddPushback(status, &context_);
    if (response != nullptr) {
      responder_.Finish(*response, grpc::Status::OK, &answered_);
    } else {
      responder_.FinishWithError(ToGrpcStatus(status), &answered_);
    }
  }

  void Answered(bool) { Release(); }

  void Over(bool) {
    if (context_.IsCancelled()) cancelled_.store(true, std::memory_order_relaxed);
    Release();
  }

  void Release() {
    if (--pending_ == 0) delete this;
  }

  const EncodeCallParts& parts_;
  const CompletionLoop::Hold hold_{parts_.loop};
  MemberEvent<EncodeCall, &EncodeCall::Arrived> arrived_{this};
  MemberEvent<EncodeCall, &EncodeCall::Answered> answered_{this};
  MemberEvent<EncodeCall, &EncodeCall::Over> over_{this};
  int pending_ = 2;  // answered_ and over_
  grpc::ServerContext context_;
  v1::EncodeRequest request_;
  grpc::ServerAsyncResponseWriter<v1::EncodeResponse> responder_{&context_};
  std::atomic<bool> cancelled_{false};
  absl::Time start_;
  std::optional<Admission> admission_;
  absl::StatusOr<EncodedRows> rows_;
};

}  // namespace

void ListenForEncode(const EncodeCallParts* parts) {
  for (int i = 0; i < kListeners; ++i) new EncodeCall(parts);
}

absl::Status FinishEncode(const v1::EncodeRequest& request, const absl::StatusOr<EncodedRows>& rows,
                          v1::EncodeResponse* response) {
  KWTA_RETURN_IF_ERROR(rows.status());
  return EncodeHandler::Finish(request, *rows, response);
}

void AddPushback(const absl::Status& status, grpc::ServerContext* context) {
  if (!absl::IsResourceExhausted(status)) return;
  const absl::Duration pause = std::clamp(RetryAfter(status).value_or(kUsualPause), kShortestPause, kLongestPause);
  context->AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(absl::ToInt64Milliseconds(pause)));
}

}  // namespace kwta::server
