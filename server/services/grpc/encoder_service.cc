#include "server/services/grpc/encoder_service.h"

#include <utility>

#include "core/base/status_macros.h"
#include "server/services/dataset_upload.h"
#include "server/services/grpc/encode_calls.h"
#include "server/services/grpc/grpc_call.h"
#include "server/services/grpc/health_service.h"

namespace kwta::server {
namespace {

class EncoderServiceImpl final : public HotEncoderService, public EncoderService {
 public:
  explicit EncoderServiceImpl(EncoderServiceParts parts)
      : parts_(std::move(parts)),
        hot_{this, parts_.loop, parts_.encode, parts_.pipeline, parts_.max_stream_messages, parts_.max_stream_bytes},
        health_(parts_.healthy_services, parts_.loop) {}

  void Register(grpc::ServerBuilder* builder) override {
    builder->RegisterService(this);
    health_.Register(builder);
  }

  void Start() override {
    ListenForEncode(&hot_);
    ListenForEncodeStream(&hot_);
    health_.Listen();
  }

  void SetServing(bool serving) override { health_.SetServing(serving); }

  grpc::Status Train(grpc::ServerContext* context, const v1::TrainRequest* request,
                     v1::TrainResponse* response) override {
    return Answer(methods::kTrain, context, response, [&] { return parts_.jobs->Train(*request); });
  }

  grpc::Status Reconstruct(grpc::ServerContext* context, const v1::ReconstructRequest* request,
                           v1::ReconstructResponse* response) override {
    return RunCall(parts_.pipeline, methods::kReconstruct, context, [&](Call& call) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, EncodeHandler::FinishReconstruct(parts_.encode->Wait(*request, call.Context())));
      return absl::OkStatus();
    });
  }

  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest*, v1::StatusResponse* response) override {
    return Answer(methods::kStatus, context, response, [&] { return parts_.status(); });
  }

  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override {
    return RunCall(parts_.pipeline, methods::kWatchJob, context, [&](Call& call) {
      absl::Status allowed;
      const auto goes_on = [&] {
        allowed = call.AllowMessage();
        return allowed.ok();
      };
      const absl::Status watched = parts_.jobs->WatchJob(
          *request, [&](const v1::JobEvent& event) { return goes_on() && writer->Write(event); },
          [&] { return goes_on() && !context->IsCancelled(); });
      return allowed.ok() ? watched : allowed;
    });
  }

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return Answer(methods::kListJobs, context, response, [&] { return parts_.jobs->ListJobs(*request); });
  }

  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    return Answer(methods::kCancelJob, context, response, [&] { return parts_.jobs->CancelJob(*request); });
  }

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    return Answer(methods::kListModels, context, response, [&] { return parts_.models->ListModels(*request); });
  }

  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    return Answer(methods::kGetModel, context, response, [&] { return parts_.models->GetModel(*request); });
  }

  grpc::Status GetClassifier(grpc::ServerContext* context, const v1::GetClassifierRequest* request,
                             v1::GetClassifierResponse* response) override {
    return Answer(methods::kGetClassifier, context, response, [&] { return parts_.models->GetClassifier(*request); });
  }

  grpc::Status LoadModel(grpc::ServerContext* context, const v1::LoadModelRequest* request,
                         v1::LoadModelResponse* response) override {
    return Answer(methods::kLoadModel, context, response, [&] { return parts_.models->LoadModel(*request); });
  }

  grpc::Status UnloadModel(grpc::ServerContext* context, const v1::UnloadModelRequest* request,
                           v1::UnloadModelResponse* response) override {
    return Answer(methods::kUnloadModel, context, response, [&] { return parts_.models->UnloadModel(*request); });
  }

  grpc::Status SetModelLabel(grpc::ServerContext* context, const v1::SetModelLabelRequest* request,
                             v1::SetModelLabelResponse* response) override {
    return Answer(methods::kSetModelLabel, context, response, [&] { return parts_.models->SetModelLabel(*request); });
  }

  grpc::Status RollBackModel(grpc::ServerContext* context, const v1::RollBackModelRequest* request,
                             v1::RollBackModelResponse* response) override {
    return Answer(methods::kRollBackModel, context, response, [&] { return parts_.models->RollBackModel(*request); });
  }

  grpc::Status DeleteModel(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                           v1::DeleteModelResponse* response) override {
    return Answer(methods::kDeleteModel, context, response, [&] { return parts_.models->DeleteModel(*request); });
  }

  grpc::Status UploadDataset(grpc::ServerContext* context, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::UploadDatasetResponse* response) override {
    return RunCall(parts_.pipeline, methods::kUploadDataset, context, [&](Call& call) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, Upload(call, reader));
      return absl::OkStatus();
    });
  }

 private:
  template <typename Response, typename Body>
  grpc::Status Answer(const Method& method, grpc::ServerContext* context, Response* response, Body body) {
    return AnswerCall(parts_.pipeline, method, context, response, body);
  }

  absl::StatusOr<v1::UploadDatasetResponse> Upload(Call& call, grpc::ServerReader<v1::UploadDatasetRequest>* reader) {
    v1::UploadDatasetRequest message;
    if (!reader->Read(&message) || !message.has_header()) {
      return absl::InvalidArgumentError("the first message of an upload must be its header");
    }
    KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetUpload> upload,
                          DatasetUpload::Begin(message.header(), parts_.upload_directory, parts_.max_upload_bytes));
    while (reader->Read(&message)) {
      KWTA_RETURN_IF_ERROR(call.AllowMessage());
      if (message.part_case() != v1::UploadDatasetRequest::kChunk) {
        return absl::InvalidArgumentError("every message of an upload after its header must be a chunk");
      }
      KWTA_RETURN_IF_ERROR(upload->Append(message.chunk()));
    }
    return upload->Finish();
  }

  const EncoderServiceParts parts_;
  const EncodeCallParts hot_;
  HealthService health_;
};

}  // namespace

std::unique_ptr<EncoderService> NewEncoderService(EncoderServiceParts parts) {
  return std::make_unique<EncoderServiceImpl>(std::move(parts));
}

}  // namespace kwta::server
