#include "server/oip/inference_service.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>

#include "core/base/status_macros.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/services/grpc/grpc_call.h"

namespace kwta::server {
namespace {

using grpc::ServerContext;

class InferenceService final : public inference::GRPCInferenceService::Service {
 public:
  InferenceService(InferenceHandler* handler, const CallPipeline* pipeline) : handler_(*handler), pipeline_(pipeline) {}

  // These two must answer when everything else is refused, as health checks do.
  grpc::Status ServerLive(ServerContext*, const inference::ServerLiveRequest*,
                          inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return grpc::Status::OK;
  }
  grpc::Status ServerReady(ServerContext*, const inference::ServerReadyRequest*,
                           inference::ServerReadyResponse* response) override {
    response->set_ready(handler_.Ready());
    return grpc::Status::OK;
  }

  grpc::Status ModelReady(ServerContext* context, const inference::ModelReadyRequest* request,
                          inference::ModelReadyResponse* response) override {
    return RunCall(pipeline_, methods::kModelReady, context, [&](Call&) {
      response->set_ready(handler_.Ready() && handler_.ModelReady(*request));
      return absl::OkStatus();
    });
  }

  grpc::Status ServerMetadata(ServerContext* context, const inference::ServerMetadataRequest*,
                              inference::ServerMetadataResponse* response) override {
    return RunCall(pipeline_, methods::kServerMetadata, context, [&](Call&) {
      *response = handler_.ServerMetadata();
      return absl::OkStatus();
    });
  }

  grpc::Status ModelMetadata(ServerContext* context, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    return Answer(methods::kModelMetadata, context, response, [&] { return handler_.ModelMetadata(*request); });
  }

  grpc::Status ModelConfig(ServerContext* context, const inference::ModelConfigRequest* request,
                           inference::ModelConfigResponse* response) override {
    return Answer(methods::kModelConfig, context, response, [&] { return handler_.ModelConfig(*request); });
  }

  grpc::Status ModelInfer(ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    // gRPC passes its own message, which nobody reads afterwards.
    auto* taken = const_cast<inference::ModelInferRequest*>(request);
    return RunCall(pipeline_, methods::kModelInfer, context, [&](Call& call) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, handler_.ModelInfer(taken, call.Context()));
      return absl::OkStatus();
    });
  }

  // Handles one message at a time; answers a failed request with its error.
  grpc::Status ModelStreamInfer(
      ServerContext* context,
      grpc::ServerReaderWriter<inference::ModelStreamInferResponse, inference::ModelInferRequest>* stream) override {
    return RunCall(pipeline_, methods::kModelStreamInfer, context, [&](Call& call) -> absl::Status {
      inference::ModelInferRequest request;
      while (stream->Read(&request)) {
        KWTA_ASSIGN_OR_RETURN(StreamRequest admitted, call.BeginRequest());
        const std::string id = request.id();
        absl::StatusOr<inference::ModelInferResponse> response =
            admitted.refusal.ok() ? handler_.ModelInfer(&request, call.Context(&admitted)) : admitted.refusal;
        call.EndRequest(admitted, response.status());
        if (!stream->Write(InferenceHandler::StreamResponse(id, std::move(response)))) break;
      }
      return absl::OkStatus();
    });
  }

  grpc::Status ModelStatistics(ServerContext* context, const inference::ModelStatisticsRequest* request,
                               inference::ModelStatisticsResponse* response) override {
    return Answer(methods::kModelStatistics, context, response, [&] { return handler_.ModelStatistics(*request); });
  }

  grpc::Status RepositoryIndex(ServerContext* context, const inference::RepositoryIndexRequest* request,
                               inference::RepositoryIndexResponse* response) override {
    return RunCall(pipeline_, methods::kRepositoryIndex, context, [&](Call&) {
      *response = handler_.RepositoryIndex(*request);
      return absl::OkStatus();
    });
  }

  grpc::Status RepositoryModelLoad(ServerContext* context, const inference::RepositoryModelLoadRequest* request,
                                   inference::RepositoryModelLoadResponse* response) override {
    return Answer(methods::kRepositoryModelLoad, context, response, [&] { return handler_.Load(*request); });
  }

  grpc::Status RepositoryModelUnload(ServerContext* context, const inference::RepositoryModelUnloadRequest* request,
                                     inference::RepositoryModelUnloadResponse* response) override {
    return Answer(methods::kRepositoryModelUnload, context, response, [&] { return handler_.Unload(*request); });
  }

 private:
  template <typename Response, typename Body>
  grpc::Status Answer(const Method& method, ServerContext* context, Response* response, Body body) {
    return AnswerCall(pipeline_, method, context, response, body);
  }

  InferenceHandler& handler_;
  const CallPipeline* const pipeline_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewInferenceService(InferenceHandler* handler, const CallPipeline* pipeline) {
  return std::make_unique<InferenceService>(handler, pipeline);
}

}  // namespace kwta::server
