#include "server/services/grpc/unserved_methods.h"

#include "server/services/grpc/grpc_call.h"
#include "server/services/unserved_text.h"

namespace kwta::server {

// Exists from the request for a call until its answer has left.
class UnservedMethods::OneCall {
 public:
  explicit OneCall(UnservedMethods* methods) : methods_(*methods) {
    grpc::ServerCompletionQueue* queue = methods_.loop_->queue();
    methods_.service_.RequestCall(&context_, &stream_, queue, queue, &arrived_);
  }

 private:
  void Arrived(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    new OneCall(&methods_);
    const absl::Status status = absl::UnimplementedError(UnservedText(context_.method()));
    SyncGrpcTransport transport(&context_);
    Call(methods_.pipeline_, &methods::kUnserved, &transport).Finish(status);
    stream_.Finish(ToGrpcStatus(status), &answered_);
  }

  void Answered(bool) { delete this; }

  UnservedMethods& methods_;
  const CompletionLoop::Hold hold_{methods_.loop_};
  MemberEvent<OneCall, &OneCall::Arrived> arrived_{this};
  MemberEvent<OneCall, &OneCall::Answered> answered_{this};
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
};

void UnservedMethods::Listen() { new OneCall(this); }

}  // namespace kwta::server
