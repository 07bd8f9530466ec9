#include "server/oip/inference_service.h"

#include <memory>
#include <string>
#include <utility>

#include "inference/open_inference.pb.h"

namespace kwta::server {
namespace {

constexpr char kInferenceService[] = "inference.GRPCInferenceService";

// Answers without a look at the request, which is empty, or at the caller: these calls must answer when everything else
// is refused, as health checks do.
template <typename Response>
class ProbeCall final : public ServedCall {
 public:
  ProbeCall(std::unique_ptr<IncomingCall> incoming, std::function<Response()> answer)
      : ServedCall(std::move(incoming)), answer_(std::move(answer)) {}

  void Begin() override {
    grpc::ByteBuffer bytes;
    const absl::Status status = SerializeMessage(answer_(), &bytes);
    if (!status.ok()) return Finish(status);
    WriteAndFinish(bytes);
  }

 private:
  const std::function<Response()> answer_;
};

class InferCall final : public UnaryCall<inference::ModelInferRequest, inference::ModelInferResponse> {
 public:
  InferCall(std::unique_ptr<IncomingCall> incoming, const CallSite* site, InferenceHandler* handler)
      : UnaryCall(std::move(incoming), site, &methods::kModelInfer), handler_(*handler) {}

 private:
  void Serve() override {
    handler_.StartInfer(&request(), call().Context(), [this](InferenceHandler::MakeAnswer answer) {
      loop().Post([this, answer = std::move(answer)] {
        const absl::StatusOr<inference::ModelInferResponse> response = answer();
        if (response.ok()) {
          Answer(*response);
        } else {
          Refuse(response.status());
        }
      });
    });
  }

  InferenceHandler& handler_;
};

// Handles one message at a time; answers a failed request with its error.
class InferStreamCall final : public ServedCall {
 public:
  InferStreamCall(std::unique_ptr<IncomingCall> incoming, const CallSite* site, InferenceHandler* handler)
      : ServedCall(std::move(incoming)),
        handler_(*handler),
        call_(site->pipeline, &methods::kModelStreamInfer, &transport()) {}

  void Begin() override {
    const absl::Status admitted = call_.Admit();
    if (!admitted.ok()) return End(admitted);
    Read();
  }

 private:
  void OnRead(grpc::ByteBuffer* bytes) override {
    if (bytes == nullptr) {
      return End(transport().Cancelled() ? absl::CancelledError("the caller went away") : absl::OkStatus());
    }
    const absl::Status parsed = Parse(bytes, &request_);
    if (!parsed.ok()) return End(parsed);
    absl::StatusOr<StreamRequest> admitted = call_.BeginRequest();
    if (!admitted.ok()) return End(admitted.status());
    admitted_ = *std::move(admitted);
    id_ = request_.id();
    if (!admitted_.refusal.ok()) return Answer(admitted_.refusal);
    handler_.StartInfer(&request_, call_.Context(&admitted_), [this](InferenceHandler::MakeAnswer answer) {
      loop().Post([this, answer = std::move(answer)] { Answer(answer()); });
    });
  }

  void Answer(absl::StatusOr<inference::ModelInferResponse> response) {
    call_.EndRequest(admitted_, response.status());
    grpc::ByteBuffer bytes;
    const absl::Status status = SerializeMessage(InferenceHandler::StreamResponse(id_, std::move(response)), &bytes);
    request_.Clear();
    if (!status.ok()) return End(status);
    Write(bytes);
  }

  void OnWritten(bool ok) override {
    if (!ok) return End(absl::CancelledError("the caller went away"));
    Read();
  }

  void End(const absl::Status& status) {
    call_.Finish(status);
    Finish(status);
  }

  InferenceHandler& handler_;
  Call call_;
  inference::ModelInferRequest request_;
  std::string id_;  // of the request
  StreamRequest admitted_;
};

}  // namespace

void AddInferenceMethods(MethodTable* table, InferenceHandler* handler, const CallSite* site) {
  using inference::ServerLiveResponse;
  using inference::ServerReadyResponse;
  table->AddCalls<ProbeCall<ServerLiveResponse>>(kInferenceService, "ServerLive", [] {
    ServerLiveResponse response;
    response.set_live(true);
    return response;
  });
  table->AddCalls<ProbeCall<ServerReadyResponse>>(kInferenceService, "ServerReady", [handler] {
    ServerReadyResponse response;
    response.set_ready(handler->Ready());
    return response;
  });
  table->AddCalls<InferCall>(kInferenceService, methods::kModelInfer.name, site, handler);
  table->AddCalls<InferStreamCall>(kInferenceService, methods::kModelStreamInfer.name, site, handler);

  const ThreadedMethods quick(table, kInferenceService, site, site->quick);
  quick.Add<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      methods::kModelReady, [handler](inference::ModelReadyRequest* request) {
        inference::ModelReadyResponse response;
        response.set_ready(handler->ModelReady(*request));
        return response;
      });
  quick.Add<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      methods::kServerMetadata, [handler](inference::ServerMetadataRequest*) { return handler->ServerMetadata(); });
  quick.Add<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
      methods::kModelStatistics,
      [handler](inference::ModelStatisticsRequest* request) { return handler->ModelStatistics(*request); });
  quick.Add<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      methods::kRepositoryIndex,
      [handler](inference::RepositoryIndexRequest* request) { return handler->RepositoryIndex(*request); });

  // These may wait for a version that is loaded.
  const ThreadedMethods slow(table, kInferenceService, site, site->slow);
  slow.Add<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      methods::kModelMetadata,
      [handler](inference::ModelMetadataRequest* request) { return handler->ModelMetadata(*request); });
  slow.Add<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      methods::kModelConfig,
      [handler](inference::ModelConfigRequest* request) { return handler->ModelConfig(*request); });
  slow.Add<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
      methods::kRepositoryModelLoad,
      [handler](inference::RepositoryModelLoadRequest* request) { return handler->Load(*request); });
  slow.Add<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
      methods::kRepositoryModelUnload,
      [handler](inference::RepositoryModelUnloadRequest* request) { return handler->Unload(*request); });
}

}  // namespace kwta::server
