#include "server/services/model_handler.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/evaluation/stored_classifier.h"
#include "server/jobs/job_events.h"

namespace kwta::server {
namespace {

v1::ModelState ToMessage(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelState::kReady:
      return v1::MODEL_STATE_READY;
    case ModelState::kEvicted:
      return v1::MODEL_STATE_EVICTED;
    case ModelState::kUnloaded:
      return v1::MODEL_STATE_UNLOADED;
    case ModelState::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

v1::ModelVersion ToMessage(const ModelVersionInfo& info) {
  v1::ModelVersion version;
  version.set_version(info.version);
  if (info.description.format() != 0) *version.mutable_description() = info.description;
  version.set_parameter_bytes(static_cast<uint64_t>(info.parameter_bytes));
  version.set_state(ToMessage(info.state));
  if (!info.failure.ok()) *version.mutable_failure() = ToFailure(info.failure);
  for (const std::string& label : info.labels) version.add_labels(label);
  if (!info.path.name.empty()) {
    version.mutable_path()->set_name(info.path.name);
    version.mutable_path()->set_reason(info.path.reason);
  }
  if (!info.placement.reason.empty()) {
    version.mutable_placement()->set_device(ToUtf8(info.placement.device));
    version.mutable_placement()->set_reason(ToUtf8(info.placement.reason));
  }
  return version;
}

v1::Model ToMessage(const ModelInfo& info) {
  v1::Model model;
  model.set_name(info.name);
  model.set_serving_version(info.stable);
  for (const ModelVersionInfo& version : info.versions) *model.add_versions() = ToMessage(version);
  for (const auto& [label, version] : info.labels.set) (*model.mutable_labels())[label] = version;
  for (const std::string& problem : info.problems) model.add_problems(ToUtf8(problem));
  return model;
}

}  // namespace

absl::StatusOr<v1::ListModelsResponse> ModelHandler::ListModels(const v1::ListModelsRequest&) {
  v1::ListModelsResponse response;
  for (const ModelInfo& model : models_->List()) *response.add_models() = ToMessage(model);
  return response;
}

absl::StatusOr<v1::GetModelResponse> ModelHandler::GetModel(const v1::GetModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, models_->Info(request.model()));
  v1::GetModelResponse response;
  *response.mutable_model() = ToMessage(model);
  return response;
}

absl::StatusOr<v1::GetClassifierResponse> ModelHandler::GetClassifier(const v1::GetClassifierRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo model, models_->Describe({request.model(), request.version()}));
  if (!model.description.has_fine_tuning()) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", model.name, "' version ", model.version,
                     " was not fine-tuned and has no classifier; train one with fine_tuning and this model as base"));
  }
  // Read it from the file: clients fetch a classifier once, and it need not be in memory for that.
  const absl::StatusOr<StoredClassifier> read = StoredClassifier::Read(model.directory);
  if (!read.ok()) return models_->WithoutRoot(read.status());
  const StoredClassifier& classifier = *read;
  v1::GetClassifierResponse response;
  response.set_version(model.version);
  const Tensor& weights = classifier.weights();
  for (const int64_t extent : weights.shape()) response.mutable_weights()->add_shape(extent);
  response.mutable_weights()->set_dtype(v1::DTYPE_F32);
  response.mutable_weights()->set_raw(weights.data(), weights.bytes());
  const float* bias = classifier.bias().as<float>();
  response.mutable_bias()->Add(bias, bias + classifier.classes());
  return response;
}

absl::StatusOr<v1::LoadModelResponse> ModelHandler::LoadModel(const v1::LoadModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo version,
                        models_->Load(request.model(), request.version(), request.reload()));
  v1::LoadModelResponse response;
  *response.mutable_version() = ToMessage(version);
  return response;
}

absl::StatusOr<v1::UnloadModelResponse> ModelHandler::UnloadModel(const v1::UnloadModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, models_->Unload(request.model(), request.version()));
  v1::UnloadModelResponse response;
  response.mutable_versions()->Add(versions.begin(), versions.end());
  return response;
}

absl::StatusOr<v1::SetModelLabelResponse> ModelHandler::SetModelLabel(const v1::SetModelLabelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, models_->SetLabel(request.model(), request.label(), request.version()));
  v1::SetModelLabelResponse response;
  *response.mutable_model() = ToMessage(model);
  return response;
}

absl::StatusOr<v1::RollBackModelResponse> ModelHandler::RollBackModel(const v1::RollBackModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, models_->RollBack(request.model()));
  v1::RollBackModelResponse response;
  *response.mutable_model() = ToMessage(model);
  return response;
}

absl::StatusOr<v1::DeleteModelResponse> ModelHandler::DeleteModel(const v1::DeleteModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, models_->Delete(request.model(), request.version()));
  v1::DeleteModelResponse response;
  response.mutable_versions()->Add(versions.begin(), versions.end());
  return response;
}

}  // namespace kwta::server
