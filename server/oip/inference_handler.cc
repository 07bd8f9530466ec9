#include "server/oip/inference_handler.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"
#include "core/base/utf8.h"
#include "core/encoders/encoder_registry.h"
#include "server/oip/inference_request.h"
#include "server/oip/inference_response.h"

namespace kwta::server {
namespace {

// Tells clients of streams that a request has been answered.
constexpr char kFinalResponse[] = "triton_final_response";

std::string Platform(const ServedModel& model) {
  return absl::StrCat("kwta_", EncoderKindName(model.description.encoder()));
}

// Clients of this protocol expect UNAVAILABLE for a version that exists and does not serve.
absl::Status StatusOfModel(const absl::Status& status, const ModelVersionInfo& model) {
  if (!absl::IsFailedPrecondition(status) || model.usable()) return status;
  return absl::UnavailableError(status.message());
}

// Returns the version of `name` that `text` means.
absl::StatusOr<ServedModelPtr> GetNamed(ModelManager* models, const std::string& name, const std::string& text) {
  const VersionName version = ParseVersion(text);
  const ModelSelector selector = {name, version.version, version.label};
  absl::StatusOr<ServedModelPtr> model = models->Get(selector);
  if (model.ok()) return model;
  const absl::StatusOr<ModelVersionInfo> meant = models->Describe(selector);
  return meant.ok() ? StatusOfModel(model.status(), *meant) : model.status();
}

// Returns the model's name from the field that Triton's clients use, or from KServe's.
template <typename Request>
const std::string& RepositoryName(const Request& request) {
  return request.model_name().empty() ? request.repository_name() : request.model_name();
}

template <typename Request>
absl::Status CheckNoParameters(const Request& request) {
  for (const auto& [name, unused] : request.parameters()) {
    if (name == "unload_dependents") continue;
    return absl::UnimplementedError(
        absl::StrCat("parameter '", name, "' is not served: a model is what its bundle says"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InferenceHandler::CheckModelReady(const inference::ModelReadyRequest& request) const {
  if (!parts_.ready()) return absl::UnavailableError("the server does not take requests now");
  const VersionName version = ParseVersion(request.version());
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo info,
                        parts_.models->Describe({request.name(), version.version, version.label}));
  if (info.usable()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("model '", info.name, "' version ", info.version, " does not serve now"));
}

inference::ServerMetadataResponse InferenceHandler::ServerMetadata() const {
  inference::ServerMetadataResponse response;
  response.set_name("kwta");
  response.set_version(parts_.version);
  for (const char* extension : {"model_repository", "model_configuration", "parameters", "statistics", "classification",
                                "binary_tensor_data"}) {
    response.add_extensions(extension);
  }
  return response;
}

absl::StatusOr<inference::ModelMetadataResponse> InferenceHandler::ModelMetadata(
    const inference::ModelMetadataRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, GetNamed(parts_.models, request.name(), request.version()));
  KWTA_ASSIGN_OR_RETURN(const ModelInfo info, parts_.models->Info(request.name()));
  inference::ModelMetadataResponse response;
  response.set_name(model->name);
  response.set_platform(Platform(*model));
  for (const ModelVersionInfo& version : info.versions) {
    if (version.usable()) response.add_versions(absl::StrCat(version.version));
  }
  auto* input = response.add_inputs();
  input->set_name(kInput);
  input->set_datatype("FP32");
  input->add_shape(-1);
  input->add_shape(model->encoder->input_width());
  for (const OutputTensor& output : OutputsOf(*model->encoder)) {
    auto* metadata = response.add_outputs();
    metadata->set_name(output.name);
    metadata->set_datatype(output.datatype);
    metadata->add_shape(-1);
    for (const int64_t extent : output.shape) metadata->add_shape(extent);
  }
  return response;
}

absl::StatusOr<inference::ModelConfigResponse> InferenceHandler::ModelConfig(
    const inference::ModelConfigRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, GetNamed(parts_.models, request.name(), request.version()));
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(model->name);
  config.set_platform(Platform(*model));
  config.set_backend("kwta");
  config.set_max_batch_size(
      static_cast<int32_t>(std::min<int64_t>(parts_.max_batch_rows, std::numeric_limits<int32_t>::max())));
  inference::ModelInput* input = config.add_input();
  input->set_name(kInput);
  input->set_data_type(inference::TYPE_FP32);
  input->add_dims(model->encoder->input_width());
  for (const OutputTensor& tensor : OutputsOf(*model->encoder)) {
    inference::ModelOutput* output = config.add_output();
    output->set_name(tensor.name);
    output->set_data_type(tensor.data_type);
    for (const int64_t extent : tensor.shape) output->add_dims(extent);
  }
  config.mutable_dynamic_batching();
  config.mutable_model_transaction_policy()->set_decoupled(false);
  return response;
}

absl::Status InferenceHandler::CheckHasClasses(const v1::EncodeRequest& request) const {
  const absl::StatusOr<ModelVersionInfo> meant =
      parts_.models->Describe({request.model(), request.version(), request.label()});
  // The encoder reports everything else that is wrong with the model.
  if (!meant.ok() || !meant->usable() || meant->description.has_fine_tuning()) return absl::OkStatus();
  return NoClasses(meant->name, meant->version);
}

// A request whose rows are being computed.
struct InferenceHandler::Inference {
  InferenceRequest converted;
  SteadyTime start, submitted;
  absl::StatusOr<EncodedRows> rows;
};

void InferenceHandler::StartInfer(inference::ModelInferRequest* request, CallContext context,
                                  std::function<void(MakeAnswer)> done) {
  const auto inference = std::make_shared<Inference>();
  inference->start = SteadyTime::Now();
  absl::StatusOr<InferenceRequest> converted = ConvertRequest(request);
  absl::Status status = converted.status();
  if (status.ok() && converted->classes > 0) status = CheckHasClasses(converted->encode);
  if (!status.ok()) return done([status] { return status; });
  inference->converted = *std::move(converted);
  v1::EncodeOptions& options = *inference->converted.encode.mutable_options();
  if (options.non_finite() == v1::NON_FINITE_UNSPECIFIED) options.set_non_finite(parts_.non_finite);
  inference->submitted = SteadyTime::Now();
  context.counts_batches = true;
  parts_.encode->Start(inference->converted.encode, std::move(context),
                       [this, inference, done = std::move(done)](absl::StatusOr<EncodedRows> rows) {
                         inference->rows = std::move(rows);
                         done([this, inference] { return Answer(*inference); });
                       });
}

absl::StatusOr<inference::ModelInferResponse> InferenceHandler::ModelInfer(inference::ModelInferRequest* request,
                                                                           CallContext context) {
  absl::Notification computed;
  MakeAnswer answer;
  StartInfer(request, std::move(context), [&](MakeAnswer made) {
    answer = std::move(made);
    computed.Notify();
  });
  computed.WaitForNotification();
  return answer();
}

absl::StatusOr<inference::ModelInferResponse> InferenceHandler::Answer(const Inference& inference) {
  const InferenceRequest& converted = inference.converted;
  const absl::StatusOr<EncodedRows>& rows = inference.rows;
  const SteadyTime encoded = SteadyTime::Now();
  absl::StatusOr<inference::ModelInferResponse> response =
      rows.ok() ? ConvertResponse(converted, *rows, parts_.max_message_bytes) : rows.status();
  const SteadyTime end = SteadyTime::Now();
  if (!response.ok()) {
    // A model that does not exist has no statistics.
    const absl::StatusOr<ModelVersionInfo> meant =
        parts_.models->Describe({converted.encode.model(), converted.encode.version(), converted.encode.label()});
    if (!meant.ok()) return response;
    statistics_.Failed(meant->name, meant->version, end - inference.start);
    return rows.ok() ? response.status() : StatusOfModel(rows.status(), *meant);
  }
  InferenceTimes times;
  times.rows = converted.encode.input().shape(0);
  times.batches = rows->result.batches;
  times.whole = end - inference.start;
  times.queue = rows->result.queued;
  times.input = inference.submitted - inference.start;
  times.compute = rows->result.computed;
  times.output = end - encoded;
  statistics_.Succeeded(rows->model->name, rows->model->version, absl::Now(), times);
  return response;
}

inference::ModelStreamInferResponse InferenceHandler::StreamResponse(
    const std::string& id, absl::StatusOr<inference::ModelInferResponse> response) {
  inference::ModelStreamInferResponse message;
  inference::ModelInferResponse& answer = *message.mutable_infer_response();
  if (response.ok()) {
    answer = *std::move(response);
  } else {
    message.set_error_message(ToUtf8(response.status().message()));  // clients cannot parse anything else
    answer.set_id(id);
  }
  (*answer.mutable_parameters())[kFinalResponse].set_bool_param(true);
  return message;
}

absl::StatusOr<inference::ModelStatisticsResponse> InferenceHandler::ModelStatistics(
    const inference::ModelStatisticsRequest& request) {
  uint64_t version = 0;
  if (!request.name().empty()) {
    const VersionName name = ParseVersion(request.version());
    KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo info,
                          parts_.models->Describe({request.name(), name.version, name.label}));
    if (!request.version().empty()) version = info.version;
  }
  inference::ModelStatisticsResponse response;
  for (inference::ModelStatistics& each : statistics_.Of(request.name(), version)) {
    *response.add_model_stats() = std::move(each);
  }
  if (response.model_stats_size() > 0 || request.name().empty()) return response;
  // A model without requests so far: all zeros, against which clients take the difference.
  const VersionName name = ParseVersion(request.version());
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo info,
                        parts_.models->Describe({request.name(), name.version, name.label}));
  inference::ModelStatistics* none = response.add_model_stats();
  none->set_name(info.name);
  none->set_version(absl::StrCat(info.version));
  none->mutable_inference_stats();
  return response;
}

inference::RepositoryIndexResponse InferenceHandler::RepositoryIndex(
    const inference::RepositoryIndexRequest& request) const {
  inference::RepositoryIndexResponse response;
  for (const ModelInfo& model : parts_.models->List()) {
    for (const ModelVersionInfo& version : model.versions) {
      if (request.ready() && !version.usable()) continue;
      auto* entry = response.add_models();
      entry->set_name(version.name);
      entry->set_version(absl::StrCat(version.version));
      entry->set_state(version.usable() ? "READY" : version.state == ModelState::kLoading ? "LOADING" : "UNAVAILABLE");
      if (version.state == ModelState::kUnloaded) entry->set_reason("unloaded");
      if (!version.failure.ok()) entry->set_reason(ToUtf8(version.failure.message()));
    }
  }
  return response;
}

absl::StatusOr<inference::RepositoryModelLoadResponse> InferenceHandler::Load(
    const inference::RepositoryModelLoadRequest& request) {
  KWTA_RETURN_IF_ERROR(CheckNoParameters(request));
  KWTA_RETURN_IF_ERROR(parts_.models->Load(RepositoryName(request), 0, /*reload=*/true).status());
  inference::RepositoryModelLoadResponse response;
  response.set_model_name(RepositoryName(request));
  response.set_isloaded(true);
  return response;
}

absl::StatusOr<inference::RepositoryModelUnloadResponse> InferenceHandler::Unload(
    const inference::RepositoryModelUnloadRequest& request) {
  KWTA_RETURN_IF_ERROR(CheckNoParameters(request));
  KWTA_RETURN_IF_ERROR(parts_.models->Unload(RepositoryName(request), 0).status());
  inference::RepositoryModelUnloadResponse response;
  response.set_model_name(RepositoryName(request));
  response.set_isunloaded(true);
  return response;
}

}  // namespace kwta::server
