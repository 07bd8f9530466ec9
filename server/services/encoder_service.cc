#include "server/services/encoder_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/services/call_trace.h"
#include "server/services/dataset_upload.h"
#include "server/services/encode_calls.h"
#include "server/services/health_service.h"
#include "server/services/status_converter.h"

namespace kwta::server {
namespace {

CallContext ContextOf(const grpc::ServerContext* context, const Admission& admission) {
  return {absl::FromChrono(context->deadline()), [context] { return context->IsCancelled(); }, admission.caller,
          /*patient=*/false, admission.rows};
}

class EncoderServiceImpl final : public HotEncoderService, public EncoderService {
 public:
  explicit EncoderServiceImpl(EncoderServiceParts parts) : parts_(std::move(parts)) {}

  void Register(grpc::ServerBuilder* builder) override {
    builder->RegisterService(this);
    loop_.emplace(builder->AddCompletionQueue());
    health_.emplace(parts_.healthy_services, &*loop_);
    health_->Register(builder);
    hot_ = {
        this, &*loop_, parts_.encode, parts_.gate, parts_.metrics, parts_.max_stream_messages, parts_.max_stream_bytes};
  }

  void Start() override {
    ListenForEncode(&hot_);
    ListenForEncodeStream(&hot_);
    health_->Listen();
    loop_->Start();
  }

  void SetServing(bool serving) override { health_->SetServing(serving); }
  void BeginAnswers() override { loop_->BeginPosting(); }
  void EndAnswers() override { loop_->EndPosting(); }

  void Finish() override {
    if (loop_.has_value()) loop_->Finish();
    loop_.reset();
  }

  grpc::Status Train(grpc::ServerContext* context, const v1::TrainRequest* request,
                     v1::TrainResponse* response) override {
    return Answer("Train", context, response, [&] { return parts_.jobs->Train(*request); });
  }

  grpc::Status Reconstruct(grpc::ServerContext* context, const v1::ReconstructRequest* request,
                           v1::ReconstructResponse* response) override {
    return Run("Reconstruct", context, [&](const Admission& admission) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, WaitForRows(ContextOf(context, admission), *request));
      return absl::OkStatus();
    });
  }

  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest*, v1::StatusResponse* response) override {
    return Answer("Status", context, response, [&] { return parts_.status(); });
  }

  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override {
    return Run("WatchJob", context, [&](const Admission&) {
      return parts_.jobs->WatchJob(
          *request, [writer](const v1::JobEvent& event) { return writer->Write(event); },
          [context] { return !context->IsCancelled(); });
    });
  }

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return Answer("ListJobs", context, response, [&] { return parts_.jobs->ListJobs(*request); });
  }

  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    return Answer("CancelJob", context, response, [&] { return parts_.jobs->CancelJob(*request); });
  }

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    return Answer("ListModels", context, response, [&] { return parts_.models->ListModels(*request); });
  }

  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    return Answer("GetModel", context, response, [&] { return parts_.models->GetModel(*request); });
  }

  grpc::Status GetClassifier(grpc::ServerContext* context, const v1::GetClassifierRequest* request,
                             v1::GetClassifierResponse* response) override {
    return Answer("GetClassifier", context, response, [&] { return parts_.models->GetClassifier(*request); });
  }

  grpc::Status LoadModel(grpc::ServerContext* context, const v1::LoadModelRequest* request,
                         v1::LoadModelResponse* response) override {
    return Answer("LoadModel", context, response, [&] { return parts_.models->LoadModel(*request); });
  }

  grpc::Status UnloadModel(grpc::ServerContext* context, const v1::UnloadModelRequest* request,
                           v1::UnloadModelResponse* response) override {
    return Answer("UnloadModel", context, response, [&] { return parts_.models->UnloadModel(*request); });
  }

  grpc::Status SetModelLabel(grpc::ServerContext* context, const v1::SetModelLabelRequest* request,
                             v1::SetModelLabelResponse* response) override {
    return Answer("SetModelLabel", context, response, [&] { return parts_.models->SetModelLabel(*request); });
  }

  grpc::Status RollBackModel(grpc::ServerContext* context, const v1::RollBackModelRequest* request,
                             v1::RollBackModelResponse* response) override {
    return Answer("RollBackModel", context, response, [&] { return parts_.models->RollBackModel(*request); });
  }

  grpc::Status DeleteModel(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                           v1::DeleteModelResponse* response) override {
    return Answer("DeleteModel", context, response, [&] { return parts_.models->DeleteModel(*request); });
  }

  grpc::Status UploadDataset(grpc::ServerContext* context, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::UploadDatasetResponse* response) override {
    return Answer("UploadDataset", context, response, [&] { return Upload(reader); });
  }

 private:
  // Runs `body` if the call is let in, and records how it went.
  template <typename Body>
  grpc::Status Run(const char* method, grpc::ServerContext* context, Body body) {
    const absl::Time start = absl::Now();
    const absl::StatusOr<Admission> admission = parts_.gate->Admit(*context, method);
    const absl::Status status = admission.ok() ? body(*admission) : admission.status();
    const absl::Duration took = absl::Now() - start;
    parts_.metrics->CallDone(method, status.code(), absl::ToDoubleSeconds(took));
    const CallTrace trace = TraceOf(*context);
    LogCall(method, admission.ok() ? admission->caller : "", trace, status, took);
    Echo(trace, context);
    AddPushback(status, context);
    return ToGrpcStatus(status);
  }

  // The same for a body that gives the response.
  template <typename Response, typename Body>
  grpc::Status Answer(const char* method, grpc::ServerContext* context, Response* response, Body body) {
    return Run(method, context, [&](const Admission&) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, body());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<v1::ReconstructResponse> WaitForRows(CallContext context, const v1::ReconstructRequest& request) {
    absl::Notification finished;
    absl::StatusOr<EncodedRows> rows;
    parts_.encode->Start(request, std::move(context), [&rows, &finished](absl::StatusOr<EncodedRows> result) {
      rows = std::move(result);
      finished.Notify();
    });
    finished.WaitForNotification();
    KWTA_RETURN_IF_ERROR(rows.status());
    return EncodeHandler::Finish(request, *rows);
  }

  absl::StatusOr<v1::UploadDatasetResponse> Upload(grpc::ServerReader<v1::UploadDatasetRequest>* reader) {
    v1::UploadDatasetRequest message;
    if (!reader->Read(&message) || !message.has_header()) {
      return absl::InvalidArgumentError("the first message of an upload must be its header");
    }
    KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetUpload> upload,
                          DatasetUpload::Begin(message.header(), parts_.upload_directory, parts_.max_upload_bytes));
    while (reader->Read(&message)) {
      if (message.part_case() != v1::UploadDatasetRequest::kChunk) {
        return absl::InvalidArgumentError("every message of an upload after its header must be a chunk");
      }
      KWTA_RETURN_IF_ERROR(upload->Append(message.chunk()));
    }
    return upload->Finish();
  }

  const EncoderServiceParts parts_;
  EncodeCallParts hot_;
  std::optional<CompletionLoop> loop_;
  std::optional<HealthService> health_;
};

}  // namespace

std::unique_ptr<EncoderService> NewEncoderService(EncoderServiceParts parts) {
  return std::make_unique<EncoderServiceImpl>(std::move(parts));
}

}  // namespace kwta::server
