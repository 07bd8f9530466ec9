#include "server/services/grpc/health_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {

using grpc::health::v1::HealthCheckRequest;

// Exists from the request for a call until its answer has left.
class HealthService::CheckCall {
 public:
  explicit CheckCall(HealthService* health) : health_(health), hold_(health->loop_) {
    grpc::ServerCompletionQueue* queue = health_->loop_->queue();
    health_->service_.RequestCheck(&context_, &request_, &responder_, queue, queue, &arrived_);
  }

 private:
  void Arrived(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    new CheckCall(health_);
    Response response;
    response.set_status(health_->StatusOf(request_.service()));
    if (response.status() != Response::SERVICE_UNKNOWN) {
      responder_.Finish(response, grpc::Status::OK, &answered_);
      return;
    }
    const std::string message = absl::StrCat("there is no service '", request_.service(), "' on this server");
    responder_.FinishWithError(grpc::Status(grpc::StatusCode::NOT_FOUND, message), &answered_);
  }

  void Answered(bool) { delete this; }

  HealthService* const health_;
  const CompletionLoop::Hold hold_;
  MemberEvent<CheckCall, &CheckCall::Arrived> arrived_{this};
  MemberEvent<CheckCall, &CheckCall::Answered> answered_{this};
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<Response> responder_{&context_};
};

// Exists from the request for a call until its last operation has completed and gRPC has reported that the call is
// over.
class HealthService::WatchCall {
 public:
  explicit WatchCall(HealthService* health) : health_(health), hold_(health->loop_) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* queue = health_->loop_->queue();
    health_->service_.RequestWatch(&context_, &request_, &stream_, queue, queue, &arrived_);
  }

  // Sends the state if it has changed since it was last sent.
  void Advance() {
    if (writing_ || !watches_) return;
    const Response::ServingStatus status = health_->StatusOf(request_.service());
    if (said_ == status) return;
    said_ = status;
    response_.set_status(status);
    writing_ = true;
    stream_.Write(response_, &written_);
  }

 private:
  void Arrived(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    new WatchCall(health_);
    health_->watchers_.insert(this);
    watches_ = true;
    Advance();
  }

  void Written(bool ok) {
    writing_ = false;
    if (!watches_) return Finish();
    if (ok) Advance();  // else it will soon be over
  }

  void Over(bool) {
    watches_ = false;
    health_->watchers_.erase(this);
    if (!writing_) Finish();
  }

  void Finish() { stream_.Finish(grpc::Status::CANCELLED, &answered_); }
  void Answered(bool) { delete this; }

  HealthService* const health_;
  const CompletionLoop::Hold hold_;
  MemberEvent<WatchCall, &WatchCall::Arrived> arrived_{this};
  MemberEvent<WatchCall, &WatchCall::Written> written_{this};
  MemberEvent<WatchCall, &WatchCall::Over> over_{this};
  MemberEvent<WatchCall, &WatchCall::Answered> answered_{this};
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  Response response_;
  grpc::ServerAsyncWriter<Response> stream_{&context_};
  Response::ServingStatus said_ = Response::UNKNOWN;
  bool watches_ = false;
  bool writing_ = false;
};

HealthService::HealthService(std::vector<std::string> services, CompletionLoop* loop)
    : services_(services.begin(), services.end()), loop_(loop) {
  services_.insert("");
}

void HealthService::Listen() {
  new CheckCall(this);
  new WatchCall(this);
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  const auto hold = std::make_shared<CompletionLoop::Hold>(loop_);
  loop_->Post([this, hold] {
    for (WatchCall* watcher : watchers_) watcher->Advance();
  });
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& service) const {
  if (services_.count(service) == 0) return Response::SERVICE_UNKNOWN;
  return serving_ ? Response::SERVING : Response::NOT_SERVING;
}

}  // namespace kwta::server
