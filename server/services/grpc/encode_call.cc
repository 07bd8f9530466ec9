// One call of Encode.
#include <optional>
#include <utility>

#include "server/services/grpc/encode_calls.h"
#include "server/services/grpc/grpc_call.h"

namespace kwta::server {
namespace {

// How many calls may arrive before the loop handles the first of them.
constexpr int kListeners = 64;

// Exists from the request for a call until the answer has left and gRPC has reported that the call is over.
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
    call_.emplace(parts_.pipeline, &methods::kEncode, &transport_);
    const absl::Status admitted = call_->Admit();
    if (!admitted.ok()) return Answer(admitted);
    parts_.handler->Start(request_, call_->Context(), [this](absl::StatusOr<EncodedRows> rows) {
      rows_ = std::move(rows);
      parts_.loop->Post([this] { Encoded(); });
    });
  }

  void Encoded() {
    v1::EncodeResponse response;
    const absl::Status status = EncodeHandler::Finish(rows_, &response);
    Answer(status, status.ok() ? &response : nullptr);
  }

  void Answer(const absl::Status& status, const v1::EncodeResponse* response = nullptr) {
    call_->Finish(status);
    if (response != nullptr) {
      responder_.Finish(*response, grpc::Status::OK, &answered_);
    } else {
      responder_.FinishWithError(ToGrpcStatus(status), &answered_);
    }
  }

  void Answered(bool) { Release(); }

  void Over(bool) {
    transport_.Over();
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
  int pending_ = 2;  // for answered_ and over_
  grpc::ServerContext context_;
  AsyncGrpcTransport transport_{&context_};
  v1::EncodeRequest request_;
  grpc::ServerAsyncResponseWriter<v1::EncodeResponse> responder_{&context_};
  std::optional<Call> call_;  // set when the call arrives
  absl::StatusOr<EncodedRows> rows_;
};

}  // namespace

void ListenForEncode(const EncodeCallParts* parts) {
  for (int i = 0; i < kListeners; ++i) new EncodeCall(parts);
}

}  // namespace kwta::server
