#include "server/services/grpc/encoder_methods.h"

#include <utility>

#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

constexpr char kEncoderService[] = "kwta.v1.EncoderService";

absl::Status FinishRows(const absl::StatusOr<EncodedRows>& rows, v1::EncodeResponse* response) {
  return EncodeHandler::Finish(rows, response);
}
absl::Status FinishRows(const absl::StatusOr<EncodedRows>& rows, v1::ReconstructResponse* response) {
  KWTA_ASSIGN_OR_RETURN(*response, EncodeHandler::FinishReconstruct(rows));
  return absl::OkStatus();
}

// A call whose rows the batcher computes; everything else happens on the loop's thread.
template <typename Request, typename Response>
class RowsCall final : public UnaryCall<Request, Response> {
 public:
  RowsCall(std::unique_ptr<IncomingCall> incoming, const CallSite* site, const Method* method, EncodeHandler* handler)
      : UnaryCall<Request, Response>(std::move(incoming), site, method), handler_(*handler) {}

 private:
  void Serve() override {
    handler_.Start(this->request(), this->call().Context(), [this](absl::StatusOr<EncodedRows> rows) {
      rows_ = std::move(rows);
      this->loop().Post([this] { Encoded(); });
    });
  }

  void Encoded() {
    Response response;
    const absl::Status status = FinishRows(rows_, &response);
    if (status.ok()) {
      this->Answer(response);
    } else {
      this->Refuse(status);
    }
  }

  EncodeHandler& handler_;
  absl::StatusOr<EncodedRows> rows_;
};

}  // namespace

EncoderMethods::EncoderMethods(EncoderMethodParts parts)
    : parts_(std::move(parts)),
      streams_{parts_.encode, parts_.site->pipeline, parts_.max_stream_messages, parts_.max_stream_bytes},
      uploads_{parts_.site, parts_.upload_directory, parts_.max_upload_bytes},
      watchers_(parts_.jobs, parts_.site) {}

void EncoderMethods::AddTo(MethodTable* table) {
  const CallSite* const site = parts_.site;
  table->AddCalls<RowsCall<v1::EncodeRequest, v1::EncodeResponse>>(kEncoderService, "Encode", site, &methods::kEncode,
                                                                   parts_.encode);
  table->AddCalls<RowsCall<v1::ReconstructRequest, v1::ReconstructResponse>>(kEncoderService, "Reconstruct", site,
                                                                             &methods::kReconstruct, parts_.encode);
  table->Add(kEncoderService, "EncodeStream",
             [this](std::unique_ptr<IncomingCall> incoming) { ServeEncodeStream(std::move(incoming), &streams_); });
  table->Add(kEncoderService, "WatchJob",
             [this](std::unique_ptr<IncomingCall> incoming) { watchers_.Serve(std::move(incoming)); });
  site->loop->EverySecond([this] { watchers_.CheckCallers(); });
  table->Add(kEncoderService, "UploadDataset",
             [this](std::unique_ptr<IncomingCall> incoming) { ServeUploadDataset(std::move(incoming), &uploads_); });

  const ThreadedMethods quick(table, kEncoderService, site, site->quick);
  quick.Add<v1::StatusRequest, v1::StatusResponse>(methods::kStatus,
                                                   [this](v1::StatusRequest*) { return parts_.status(); });
  quick.Add<v1::TrainRequest, v1::TrainResponse>(
      methods::kTrain, [this](v1::TrainRequest* request) { return parts_.jobs->Train(*request); });
  quick.Add<v1::ListJobsRequest, v1::ListJobsResponse>(
      methods::kListJobs, [this](v1::ListJobsRequest* request) { return parts_.jobs->ListJobs(*request); });
  quick.Add<v1::CancelJobRequest, v1::CancelJobResponse>(
      methods::kCancelJob, [this](v1::CancelJobRequest* request) { return parts_.jobs->CancelJob(*request); });
  quick.Add<v1::ListModelsRequest, v1::ListModelsResponse>(
      methods::kListModels, [this](v1::ListModelsRequest* request) { return parts_.models->ListModels(*request); });
  quick.Add<v1::GetModelRequest, v1::GetModelResponse>(
      methods::kGetModel, [this](v1::GetModelRequest* request) { return parts_.models->GetModel(*request); });

  const ThreadedMethods slow(table, kEncoderService, site, site->slow);
  slow.Add<v1::GetClassifierRequest, v1::GetClassifierResponse>(
      methods::kGetClassifier,
      [this](v1::GetClassifierRequest* request) { return parts_.models->GetClassifier(*request); });
  slow.Add<v1::ListDatasetsRequest, v1::ListDatasetsResponse>(
      methods::kListDatasets,
      [this](v1::ListDatasetsRequest* request) { return parts_.datasets->ListDatasets(*request); });
  slow.Add<v1::GetDatasetRequest, v1::GetDatasetResponse>(
      methods::kGetDataset, [this](v1::GetDatasetRequest* request) { return parts_.datasets->GetDataset(*request); });
  slow.Add<v1::DeleteDatasetRequest, v1::DeleteDatasetResponse>(
      methods::kDeleteDataset,
      [this](v1::DeleteDatasetRequest* request) { return parts_.datasets->DeleteDataset(*request); });
  slow.Add<v1::LoadModelRequest, v1::LoadModelResponse>(
      methods::kLoadModel, [this](v1::LoadModelRequest* request) { return parts_.models->LoadModel(*request); });
  slow.Add<v1::UnloadModelRequest, v1::UnloadModelResponse>(
      methods::kUnloadModel, [this](v1::UnloadModelRequest* request) { return parts_.models->UnloadModel(*request); });
  slow.Add<v1::SetModelLabelRequest, v1::SetModelLabelResponse>(
      methods::kSetModelLabel,
      [this](v1::SetModelLabelRequest* request) { return parts_.models->SetModelLabel(*request); });
  slow.Add<v1::RollBackModelRequest, v1::RollBackModelResponse>(
      methods::kRollBackModel,
      [this](v1::RollBackModelRequest* request) { return parts_.models->RollBackModel(*request); });
  slow.Add<v1::DeleteModelRequest, v1::DeleteModelResponse>(
      methods::kDeleteModel, [this](v1::DeleteModelRequest* request) { return parts_.models->DeleteModel(*request); });
}

}  // namespace kwta::server
