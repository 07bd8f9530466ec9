// The methods of all services, as the call pipeline knows them.
#pragma once

#include <optional>

#include "core/io/token_file.h"

namespace kwta::server {

enum class MethodKind {
  kAnswer,    // one answer, whose time is measured
  kRequests,  // a stream of requests: each counts as a call and is timed; the stream itself only if it fails
  kWatch,     // lasts as long as what the caller watches: counted, not timed
};

struct Method {
  const char* name;            // without its service; used in metrics, logs and messages
  std::optional<Scope> scope;  // scope that the caller's token must have; nullopt: any token will do
  MethodKind kind = MethodKind::kAnswer;
};

// docs/security.md lists the scopes. Methods that change models or delete need Scope::kAdmin.
namespace methods {

// kwta.v1.EncoderService
inline constexpr Method kEncode = {"Encode", Scope::kEncode};
inline constexpr Method kEncodeStream = {"EncodeStream", Scope::kEncode, MethodKind::kRequests};
inline constexpr Method kReconstruct = {"Reconstruct", Scope::kEncode};
inline constexpr Method kGetClassifier = {"GetClassifier", Scope::kEncode};
inline constexpr Method kStatus = {"Status", std::nullopt};
inline constexpr Method kListModels = {"ListModels", std::nullopt};
inline constexpr Method kGetModel = {"GetModel", std::nullopt};
inline constexpr Method kTrain = {"Train", Scope::kTrain};
inline constexpr Method kWatchJob = {"WatchJob", Scope::kTrain, MethodKind::kWatch};
inline constexpr Method kListJobs = {"ListJobs", Scope::kTrain};
inline constexpr Method kCancelJob = {"CancelJob", Scope::kTrain};
inline constexpr Method kUploadDataset = {"UploadDataset", Scope::kTrain};
inline constexpr Method kListDatasets = {"ListDatasets", Scope::kTrain};
inline constexpr Method kGetDataset = {"GetDataset", Scope::kTrain};
inline constexpr Method kDeleteDataset = {"DeleteDataset", Scope::kAdmin};
inline constexpr Method kLoadModel = {"LoadModel", Scope::kAdmin};
inline constexpr Method kUnloadModel = {"UnloadModel", Scope::kAdmin};
inline constexpr Method kSetModelLabel = {"SetModelLabel", Scope::kAdmin};
inline constexpr Method kRollBackModel = {"RollBackModel", Scope::kAdmin};
inline constexpr Method kDeleteModel = {"DeleteModel", Scope::kAdmin};

// inference.GRPCInferenceService. Its ServerLive and ServerReady must answer even when everything else is refused. Like
// health checks, they do not go through the pipeline.
inline constexpr Method kModelInfer = {"ModelInfer", Scope::kEncode};
inline constexpr Method kModelStreamInfer = {"ModelStreamInfer", Scope::kEncode, MethodKind::kRequests};
inline constexpr Method kServerMetadata = {"ServerMetadata", std::nullopt};
inline constexpr Method kModelReady = {"ModelReady", std::nullopt};
inline constexpr Method kModelMetadata = {"ModelMetadata", std::nullopt};
inline constexpr Method kModelConfig = {"ModelConfig", std::nullopt};
inline constexpr Method kModelStatistics = {"ModelStatistics", std::nullopt};
inline constexpr Method kRepositoryIndex = {"RepositoryIndex", std::nullopt};
inline constexpr Method kRepositoryModelLoad = {"RepositoryModelLoad", Scope::kAdmin};
inline constexpr Method kRepositoryModelUnload = {"RepositoryModelUnload", Scope::kAdmin};

// What needs no token, counted when it ends.
inline constexpr Method kHealthWatch = {"HealthWatch", std::nullopt, MethodKind::kWatch};
inline constexpr Method kReflection = {"Reflection", std::nullopt, MethodKind::kWatch};

// The status page's JSON API, beside the calls above.
inline constexpr Method kModelUnits = {"ModelUnits", Scope::kEncode};
inline constexpr Method kExamineRow = {"ExamineRow", Scope::kEncode};

// Any method that the server does not have.
inline constexpr Method kUnserved = {"unserved", std::nullopt};

// All of them.
inline constexpr const Method* kAll[] = {&kEncode,
                                         &kEncodeStream,
                                         &kReconstruct,
                                         &kGetClassifier,
                                         &kStatus,
                                         &kListModels,
                                         &kGetModel,
                                         &kTrain,
                                         &kWatchJob,
                                         &kListJobs,
                                         &kCancelJob,
                                         &kUploadDataset,
                                         &kListDatasets,
                                         &kGetDataset,
                                         &kDeleteDataset,
                                         &kLoadModel,
                                         &kUnloadModel,
                                         &kSetModelLabel,
                                         &kRollBackModel,
                                         &kDeleteModel,
                                         &kModelInfer,
                                         &kModelStreamInfer,
                                         &kServerMetadata,
                                         &kModelReady,
                                         &kModelMetadata,
                                         &kModelConfig,
                                         &kModelStatistics,
                                         &kRepositoryIndex,
                                         &kRepositoryModelLoad,
                                         &kRepositoryModelUnload,
                                         &kModelUnits,
                                         &kExamineRow,
                                         &kHealthWatch,
                                         &kReflection,
                                         &kUnserved};

}  // namespace methods
}  // namespace kwta::server
