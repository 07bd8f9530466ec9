#include "client/client.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/connection.h"
#include "client/tensor_message.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

using Stub = v1::EncoderService::Stub;

// Makes ids that sort by time and do not collide between clients.
std::string NewJobId() {
  std::random_device random;
  return absl::StrCat("job-", absl::FormatTime("%Y%m%d-%H%M%S", absl::Now(), absl::UTCTimeZone()),
                      absl::StrFormat("-%08x", random()));
}

template <typename Message>
std::vector<Message> ToVector(google::protobuf::RepeatedPtrField<Message>&& field) {
  return {std::make_move_iterator(field.begin()), std::make_move_iterator(field.end())};
}

}  // namespace

Client::Client(Options options) : connection_(std::make_unique<Connection>(std::move(options))) {}
Client::~Client() = default;

const Options& Client::options() const { return connection_->options(); }

absl::StatusOr<v1::Job> Client::Train(v1::TrainRequest request, const CallOptions& call) {
  if (request.job_id().empty()) request.set_job_id(NewJobId());
  KWTA_ASSIGN_OR_RETURN(v1::TrainResponse response,
                        connection_->Unary(&Stub::Train, request, connection_->Deadline(call)));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::StatusResponse> Client::ServerStatus(const CallOptions& call) {
  return connection_->Unary(&Stub::Status, v1::StatusRequest(), connection_->Deadline(call));
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(const v1::ListJobsRequest& request, const CallOptions& call) {
  KWTA_ASSIGN_OR_RETURN(v1::ListJobsResponse response,
                        connection_->Unary(&Stub::ListJobs, request, connection_->Deadline(call)));
  return ToVector(std::move(*response.mutable_jobs()));
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& job_id, const CallOptions& call) {
  v1::ListJobsRequest request;
  request.set_job_id(job_id);
  KWTA_ASSIGN_OR_RETURN(std::vector<v1::Job> jobs, ListJobs(request, call));
  for (v1::Job& job : jobs) {
    if (job.id() == job_id) return std::move(job);
  }
  return absl::NotFoundError(absl::StrCat("no job '", job_id, "'; ListJobs names those there are"));
}

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& job_id, const CallOptions& call) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  KWTA_ASSIGN_OR_RETURN(v1::CancelJobResponse response,
                        connection_->Unary(&Stub::CancelJob, request, connection_->Deadline(call)));
  return std::move(*response.mutable_job());
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels(const CallOptions& call) {
  KWTA_ASSIGN_OR_RETURN(v1::ListModelsResponse response,
                        connection_->Unary(&Stub::ListModels, v1::ListModelsRequest(), connection_->Deadline(call)));
  return ToVector(std::move(*response.mutable_models()));
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& model, const CallOptions& call) {
  v1::GetModelRequest request;
  request.set_model(model);
  KWTA_ASSIGN_OR_RETURN(v1::GetModelResponse response,
                        connection_->Unary(&Stub::GetModel, request, connection_->Deadline(call)));
  return std::move(*response.mutable_model());
}

absl::StatusOr<Classifier> Client::GetClassifier(const std::string& model, uint64_t version, const CallOptions& call) {
  v1::GetClassifierRequest request;
  request.set_model(model);
  request.set_version(version);
  KWTA_ASSIGN_OR_RETURN(const v1::GetClassifierResponse response,
                        connection_->Unary(&Stub::GetClassifier, request, connection_->Deadline(call)));
  const int64_t units = response.weights().shape_size() > 0 ? response.weights().shape(0) : 0;
  const int64_t classes = response.bias_size();
  KWTA_ASSIGN_OR_RETURN(const void* elements, DenseElements(response.weights(), units, classes));
  Tensor weights(DType::kF32, {units, classes}), bias(DType::kF32, {classes});
  std::memcpy(weights.data(), elements, weights.bytes());
  std::copy(response.bias().begin(), response.bias().end(), bias.as<float>());
  return Classifier{std::move(weights), std::move(bias)};
}

absl::StatusOr<v1::ModelVersion> Client::LoadModel(const std::string& model, uint64_t version, bool reload,
                                                   const CallOptions& call) {
  v1::LoadModelRequest request;
  request.set_model(model);
  request.set_version(version);
  request.set_reload(reload);
  KWTA_ASSIGN_OR_RETURN(v1::LoadModelResponse response,
                        connection_->Unary(&Stub::LoadModel, request, connection_->Deadline(call)));
  return std::move(*response.mutable_version());
}

absl::StatusOr<std::vector<uint64_t>> Client::UnloadModel(const std::string& model, uint64_t version,
                                                          const CallOptions& call) {
  v1::UnloadModelRequest request;
  request.set_model(model);
  request.set_version(version);
  KWTA_ASSIGN_OR_RETURN(const v1::UnloadModelResponse response,
                        connection_->Unary(&Stub::UnloadModel, request, connection_->Deadline(call)));
  return std::vector<uint64_t>(response.versions().begin(), response.versions().end());
}

absl::StatusOr<v1::Model> Client::SetModelLabel(const std::string& model, const std::string& label, uint64_t version,
                                                const CallOptions& call) {
  v1::SetModelLabelRequest request;
  request.set_model(model);
  request.set_label(label);
  request.set_version(version);
  KWTA_ASSIGN_OR_RETURN(v1::SetModelLabelResponse response,
                        connection_->Unary(&Stub::SetModelLabel, request, connection_->Deadline(call)));
  return std::move(*response.mutable_model());
}

absl::StatusOr<v1::Model> Client::RollBackModel(const std::string& model, const CallOptions& call) {
  v1::RollBackModelRequest request;
  request.set_model(model);
  KWTA_RETURN_IF_ERROR(CheckText(request));
  v1::RollBackModelResponse response;
  grpc::ClientContext context;  // only once: a second call would undo the first
  Connection::SetDeadline(connection_->Deadline(call), &context);
  KWTA_RETURN_IF_ERROR(FromGrpc(connection_->stub().RollBackModel(&context, request, &response)));
  return std::move(*response.mutable_model());
}

absl::StatusOr<std::vector<uint64_t>> Client::DeleteModel(const std::string& model, uint64_t version,
                                                          const CallOptions& call) {
  v1::DeleteModelRequest request;
  request.set_model(model);
  request.set_version(version);
  KWTA_ASSIGN_OR_RETURN(const v1::DeleteModelResponse response,
                        connection_->Unary(&Stub::DeleteModel, request, connection_->Deadline(call)));
  return std::vector<uint64_t>(response.versions().begin(), response.versions().end());
}

absl::StatusOr<v1::ListDatasetsResponse> Client::ListDatasets(uint32_t limit, const CallOptions& call) {
  v1::ListDatasetsRequest request;
  request.set_limit(limit);
  return connection_->Unary(&Stub::ListDatasets, request, connection_->Deadline(call));
}

absl::StatusOr<v1::DatasetInfo> Client::GetDataset(const v1::DatasetRef& dataset, const CallOptions& call) {
  v1::GetDatasetRequest request;
  *request.mutable_dataset() = dataset;
  KWTA_ASSIGN_OR_RETURN(v1::GetDatasetResponse response,
                        connection_->Unary(&Stub::GetDataset, request, connection_->Deadline(call)));
  return std::move(*response.mutable_dataset());
}

absl::StatusOr<uint64_t> Client::DeleteDataset(const v1::DatasetRef& dataset, const CallOptions& call) {
  v1::DeleteDatasetRequest request;
  *request.mutable_dataset() = dataset;
  KWTA_ASSIGN_OR_RETURN(const v1::DeleteDatasetResponse response,
                        connection_->Unary(&Stub::DeleteDataset, request, connection_->Deadline(call)));
  return response.bytes();
}

bool IsFinal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_CANCELLED;
}

}  // namespace kwta::client
