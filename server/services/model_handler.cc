#include "server/services/model_handler.h"

#include <vector>

#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

void AddVersion(const ServedModel& served, v1::Model* model) {
  model->set_name(served.name);
  model->set_serving_version(served.version);  // versions come oldest first: the last one stays
  v1::ModelVersion* version = model->add_versions();
  version->set_version(served.version);
  *version->mutable_description() = served.description;
  version->set_parameter_bytes(static_cast<uint64_t>(served.encoder->parameter_bytes()));
}

}  // namespace

absl::StatusOr<v1::ListModelsResponse> ModelHandler::ListModels(const v1::ListModelsRequest&) {
  v1::ListModelsResponse response;
  for (const ServedModelPtr& served : models_->List()) {
    const int models = response.models_size();
    const bool same = models > 0 && response.models(models - 1).name() == served->name;
    AddVersion(*served, same ? response.mutable_models(models - 1) : response.add_models());
  }
  return response;
}

absl::StatusOr<v1::GetModelResponse> ModelHandler::GetModel(const v1::GetModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<ServedModelPtr> versions, models_->Versions(request.model()));
  v1::GetModelResponse response;
  for (const ServedModelPtr& served : versions) AddVersion(*served, response.mutable_model());
  return response;
}

absl::StatusOr<v1::DeleteModelResponse> ModelHandler::DeleteModel(const v1::DeleteModelRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, models_->Delete(request.model(), request.version()));
  v1::DeleteModelResponse response;
  response.mutable_versions()->Add(versions.begin(), versions.end());
  return response;
}

}  // namespace kwta::server
