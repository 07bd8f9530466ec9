#include "server/services/grpc/health_service.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

using grpc::health::v1::HealthCheckRequest;

constexpr char kHealth[] = "grpc.health.v1.Health";
constexpr char kModelPrefix[] = "model/";

// A check takes a place only until its request is there.
constexpr int kMostChecks = 512;

}  // namespace

class HealthService::CheckCall final : public ServedCall {
 public:
  CheckCall(std::unique_ptr<IncomingCall> incoming, HealthService* health)
      : ServedCall(std::move(incoming)), health_(*health), place_(health->checking_.Take(transport().Peer())) {}

  void Begin() override {
    if (!place_.ok()) return End(place_.status());
    body_.Start(health_.parts_.site->bodies);
    small_ = health_.parts_.site->ExpectSmall(transport());
    Read();
  }

 private:
  void OnRead(grpc::ByteBuffer* bytes) override {
    body_.Stop();
    small_.reset();
    if (bytes == nullptr) return End(absl::InvalidArgumentError("the call ended without a request"));
    HealthCheckRequest request;
    const absl::Status parsed = Parse(bytes, &request);
    if (!parsed.ok()) return End(parsed);
    Response response;
    response.set_status(health_.StatusOf(request.service()));
    if (response.status() == Response::SERVICE_UNKNOWN) {
      return End(absl::NotFoundError(absl::StrCat("there is no service '", request.service(), "' on this server")));
    }
    grpc::ByteBuffer answer;
    const absl::Status serialized = SerializeMessage(response, &answer);
    if (!serialized.ok()) return End(serialized);
    WriteAndFinish(answer);
  }

  void End(const absl::Status& status) { Finish(status); }

  HealthService& health_;
  const absl::StatusOr<OpenCalls::Place> place_;
  std::shared_ptr<void> small_;
  TimeoutList::Entry body_{[this] { End(BodyTimeoutError(*health_.parts_.site->bodies)); }};
};

class HealthService::WatchCall final : public ServedCall {
 public:
  WatchCall(std::unique_ptr<IncomingCall> incoming, HealthService* health)
      : ServedCall(std::move(incoming)),
        health_(*health),
        place_(health->watching_.Take(transport().Peer())),
        call_(health->parts_.site->pipeline, &methods::kHealthWatch, &transport()) {}
  ~WatchCall() override { health_.watchers_.erase(this); }

  void Begin() override {
    if (!place_.ok()) return End(place_.status());
    body_.Start(health_.parts_.site->bodies);
    small_ = health_.parts_.site->ExpectSmall(transport());
    Read();
  }

  // Sends the state if it has changed since it was last sent.
  void Advance() {
    if (finished() || writing_) return;
    if (transport().Cancelled()) return End(absl::CancelledError("the watcher went away"));
    const Response::ServingStatus status = health_.StatusOf(service_);
    if (said_ == status) return;
    said_ = status;
    Response response;
    response.set_status(status);
    grpc::ByteBuffer bytes;
    const absl::Status serialized = SerializeMessage(response, &bytes);
    if (!serialized.ok()) return End(serialized);
    writing_ = true;
    Write(bytes);
  }

 private:
  void OnRead(grpc::ByteBuffer* bytes) override {
    body_.Stop();
    small_.reset();
    if (bytes == nullptr) return End(absl::InvalidArgumentError("the call ended without a request"));
    HealthCheckRequest request;
    const absl::Status parsed = Parse(bytes, &request);
    if (!parsed.ok()) return End(parsed);
    service_ = request.service();
    health_.watchers_.insert(this);
    Advance();
  }

  void OnWritten(bool ok) override {
    writing_ = false;
    if (!ok) return End(absl::CancelledError("the watcher went away"));
    Advance();
  }

  void OnOver() override { Advance(); }

  void End(const absl::Status& status) {
    body_.Stop();
    call_.Finish(status);
    Finish(status);
  }

  HealthService& health_;
  const absl::StatusOr<OpenCalls::Place> place_;
  std::shared_ptr<void> small_;
  Call call_;
  std::string service_;
  Response::ServingStatus said_ = Response::UNKNOWN;
  bool writing_ = false;
  TimeoutList::Entry body_{[this] { End(BodyTimeoutError(*health_.parts_.site->bodies)); }};
};

HealthService::HealthService(Parts parts)
    : parts_(std::move(parts)),
      checking_({"health checks that have not sent their request", kMostChecks, kMostChecks / 2, ""}),
      watching_({"health watchers", parts_.max_watchers, (parts_.max_watchers + 1) / 2, "--max-health-watchers"}) {}

void HealthService::AddTo(MethodTable* table) {
  table->AddCalls<CheckCall>(kHealth, "Check", this);
  table->AddCalls<WatchCall>(kHealth, "Watch", this);
  // Models come and go.
  parts_.site->loop->EverySecond([this] { Notify(); });
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  const auto hold = std::make_shared<CompletionLoop::Hold>(parts_.site->loop);
  parts_.site->loop->Post([this, hold] { Notify(); });
}

void HealthService::Notify() {
  for (WatchCall* watcher : watchers_) watcher->Advance();
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& service) const {
  bool serves = serving_;
  if (absl::StartsWith(service, kModelPrefix)) {
    const std::optional<bool> model = parts_.model_serves(absl::string_view(service).substr(sizeof(kModelPrefix) - 1));
    if (!model.has_value()) return Response::SERVICE_UNKNOWN;
    serves = serves && *model;
  } else if (!service.empty() && parts_.services.count(service) == 0) {
    return Response::SERVICE_UNKNOWN;
  }
  return serves ? Response::SERVING : Response::NOT_SERVING;
}

}  // namespace kwta::server
