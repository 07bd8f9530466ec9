// Implements the calls about models, without the transport.
#pragma once

#include "absl/status/statusor.h"
#include "kwta/v1/service.pb.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Thread-safe. Each method implements the call of the same name; service.proto says what it does.
class ModelHandler {
 public:
  // REQUIRES: models outlives the handler.
  explicit ModelHandler(ModelManager* models) : models_(models) {}

  absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request);
  absl::StatusOr<v1::GetModelResponse> GetModel(const v1::GetModelRequest& request);
  absl::StatusOr<v1::GetClassifierResponse> GetClassifier(const v1::GetClassifierRequest& request);
  absl::StatusOr<v1::LoadModelResponse> LoadModel(const v1::LoadModelRequest& request);
  absl::StatusOr<v1::UnloadModelResponse> UnloadModel(const v1::UnloadModelRequest& request);
  absl::StatusOr<v1::SetModelLabelResponse> SetModelLabel(const v1::SetModelLabelRequest& request);
  absl::StatusOr<v1::RollBackModelResponse> RollBackModel(const v1::RollBackModelRequest& request);
  absl::StatusOr<v1::DeleteModelResponse> DeleteModel(const v1::DeleteModelRequest& request);

 private:
  ModelManager* const models_;
};

}  // namespace kwta::server
