#include "server/oip/inference_service.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/services/call_trace.h"
#include "server/services/encode_calls.h"
#include "server/services/status_converter.h"

namespace kwta::server {
namespace {

using grpc::ServerContext;

class InferenceService final : public inference::GRPCInferenceService::Service {
 public:
  InferenceService(InferenceHandler* handler, CallGate* gate, Metrics* metrics)
      : handler_(*handler), gate_(*gate), metrics_(*metrics) {}

  // The two that must answer when everything else is refused, as health checks do.
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
    return Run("ModelReady", context, [&](const Admission&) {
      response->set_ready(handler_.Ready() && handler_.ModelReady(*request));
      return absl::OkStatus();
    });
  }

  grpc::Status ServerMetadata(ServerContext* context, const inference::ServerMetadataRequest*,
                              inference::ServerMetadataResponse* response) override {
    return Run("ServerMetadata", context, [&](const Admission&) {
      *response = handler_.ServerMetadata();
      return absl::OkStatus();
    });
  }

  grpc::Status ModelMetadata(ServerContext* context, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    return Answer("ModelMetadata", context, response, [&] { return handler_.ModelMetadata(*request); });
  }

  grpc::Status ModelConfig(ServerContext* context, const inference::ModelConfigRequest* request,
                           inference::ModelConfigResponse* response) override {
    return Answer("ModelConfig", context, response, [&] { return handler_.ModelConfig(*request); });
  }

  grpc::Status ModelInfer(ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    // gRPC hands out its own message; nobody looks at it afterwards.
    auto* taken = const_cast<inference::ModelInferRequest*>(request);
    return Run("ModelInfer", context, [&](const Admission& admission) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, handler_.ModelInfer(taken, ContextOf(context, admission)));
      return absl::OkStatus();
    });
  }

  grpc::Status ModelStreamInfer(
      ServerContext* context,
      grpc::ServerReaderWriter<inference::ModelStreamInferResponse, inference::ModelInferRequest>* stream) override {
    return Run("ModelStreamInfer", context, [&](const Admission& admission) {
      inference::ModelInferRequest request;
      while (stream->Read(&request) && AnswerOnStream(context, admission, &request, stream)) {
      }
      return absl::OkStatus();
    });
  }

  grpc::Status ModelStatistics(ServerContext* context, const inference::ModelStatisticsRequest* request,
                               inference::ModelStatisticsResponse* response) override {
    return Answer("ModelStatistics", context, response, [&] { return handler_.ModelStatistics(*request); });
  }

  grpc::Status RepositoryIndex(ServerContext* context, const inference::RepositoryIndexRequest* request,
                               inference::RepositoryIndexResponse* response) override {
    return Run("RepositoryIndex", context, [&](const Admission&) {
      *response = handler_.RepositoryIndex(*request);
      return absl::OkStatus();
    });
  }

  grpc::Status RepositoryModelLoad(ServerContext* context, const inference::RepositoryModelLoadRequest* request,
                                   inference::RepositoryModelLoadResponse* response) override {
    return Answer("RepositoryModelLoad", context, response, [&] { return handler_.Load(*request); });
  }

  grpc::Status RepositoryModelUnload(ServerContext* context, const inference::RepositoryModelUnloadRequest* request,
                                     inference::RepositoryModelUnloadResponse* response) override {
    return Answer("RepositoryModelUnload", context, response, [&] { return handler_.Unload(*request); });
  }

 private:
  static CallContext ContextOf(const ServerContext* context, const Admission& admission) {
    CallContext converted;
    converted.deadline = absl::FromChrono(context->deadline());
    converted.cancelled = [context] { return context->IsCancelled(); };
    converted.caller = admission.caller;
    converted.row_quota = admission.rows;
    return converted;
  }

  // Answers one message; a request that fails is answered with its error. False if nobody reads any more.
  template <typename Stream>
  bool AnswerOnStream(ServerContext* context, const Admission& admission, inference::ModelInferRequest* request,
                      Stream* stream) {
    const absl::Time start = absl::Now();
    const std::string id = request->id();
    inference::ModelStreamInferResponse answer;
    CallContext converted = ContextOf(context, admission);
    converted.patient = true;  // one message at a time
    absl::StatusOr<inference::ModelInferResponse> response = handler_.ModelInfer(request, std::move(converted));
    metrics_.CallDone("ModelStreamInfer", response.status().code(), absl::ToDoubleSeconds(absl::Now() - start));
    if (response.ok()) {
      *answer.mutable_infer_response() = *std::move(response);
    } else {
      answer.set_error_message(ToGrpcStatus(response.status()).error_message());
      answer.mutable_infer_response()->set_id(id);
    }
    return stream->Write(answer);
  }

  // Runs `body` if the call is let in, and records how it went.
  template <typename Body>
  grpc::Status Run(const char* method, ServerContext* context, Body body) {
    const absl::Time start = absl::Now();
    const absl::StatusOr<Admission> admission = gate_.Admit(*context, method);
    const absl::Status status = admission.ok() ? body(*admission) : admission.status();
    const absl::Duration took = absl::Now() - start;
    metrics_.CallDone(method, status.code(), absl::ToDoubleSeconds(took));
    const CallTrace trace = TraceOf(*context);
    LogCall(method, admission.ok() ? admission->caller : "", trace, status, took);
    Echo(trace, context);
    AddPushback(status, context);
    return ToGrpcStatus(status);
  }

  // The same for a body that gives the response.
  template <typename Response, typename Body>
  grpc::Status Answer(const char* method, ServerContext* context, Response* response, Body body) {
    return Run(method, context, [&](const Admission&) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, body());
      return absl::OkStatus();
    });
  }

  InferenceHandler& handler_;
  CallGate& gate_;
  Metrics& metrics_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewInferenceService(InferenceHandler* handler, CallGate* gate, Metrics* metrics) {
  return std::make_unique<InferenceService>(handler, gate, metrics);
}

}  // namespace kwta::server
