#include "server/web/api/status_json.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "server/jobs/job_events.h"
#include "server/models/served_model.h"
#include "server/web/api/picture.h"

namespace kwta::server {
namespace {

using nlohmann::json;

json TimeJson(bool set, const google::protobuf::Timestamp& time) {
  return set ? json(static_cast<double>(time.seconds()) + time.nanos() * 1e-9) : json();
}

// Every field that protobuf gives is UTF-8, except what other programs wrote; the library refuses anything else.
std::string Text(const std::string& text) { return ToUtf8(text); }

json FailureJson(const v1::Failure& failure) {
  return {{"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(failure.code()))},
          {"message", Text(failure.message())}};
}

json ProgressJson(const v1::TrainingProgress& progress) {
  json warnings = json::array();
  for (const std::string& warning : progress.warnings()) warnings.push_back(Text(warning));
  return {{"epochs_done", progress.epochs_done()},
          {"epochs", progress.epochs()},
          {"fraction", progress.fraction()},
          {"loss", progress.loss()},
          {"fraction_variance_unexplained", progress.fraction_variance_unexplained()},
          {"images_per_second", progress.images_per_second()},
          {"k", progress.k()},
          {"dead_units", progress.dead_units()},
          {"units", progress.units()},
          {"dead_window_rows", progress.dead_window_rows()},
          {"learning_rate", progress.learning_rate()},
          {"eta_seconds", progress.eta_seconds()},
          {"processor_share", progress.has_processor_share() ? json(progress.processor_share()) : json()},
          {"threads", progress.threads()},
          {"warnings", std::move(warnings)}};
}

std::string DatasetText(const v1::DatasetRef& dataset) {
  return Text(dataset.has_name() ? dataset.name() : dataset.path());
}

const char* StateText(v1::ModelState state) {
  switch (state) {
    case v1::MODEL_STATE_LOADING:
      return ModelStateName(ModelState::kLoading);
    case v1::MODEL_STATE_READY:
      return ModelStateName(ModelState::kReady);
    case v1::MODEL_STATE_EVICTED:
      return ModelStateName(ModelState::kEvicted);
    case v1::MODEL_STATE_UNLOADED:
      return ModelStateName(ModelState::kUnloaded);
    default:
      return ModelStateName(ModelState::kFailed);
  }
}

json ShapeJson(const Shape& shape) { return {{"channels", shape[0]}, {"height", shape[1]}, {"width", shape[2]}}; }

json VersionJson(const v1::ModelVersion& version) {
  json result = {{"version", version.version()},
                 {"state", StateText(version.state())},
                 {"labels", version.labels()},
                 {"parameter_bytes", version.parameter_bytes()}};
  if (version.has_path()) result["path"] = {{"name", version.path().name()}, {"reason", version.path().reason()}};
  if (version.has_placement()) {
    result["placement"] = {{"device", Text(version.placement().device())},
                           {"reason", Text(version.placement().reason())}};
  }
  if (version.has_failure()) result["failure"] = FailureJson(version.failure());
  if (version.has_description()) result["description"] = DescriptionJson(version.description());
  return result;
}

const v1::ModelVersion* ServingVersion(const v1::Model& model) {
  for (const v1::ModelVersion& version : model.versions()) {
    if (version.version() == model.serving_version()) return &version;
  }
  return nullptr;
}

json TextsJson(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  json result = json::array();
  for (const std::string& text : texts) result.push_back(Text(text));
  return result;
}

}  // namespace

json JobJson(const v1::Job& job) {
  json result = {{"id", Text(job.id())},
                 {"model", Text(job.spec().model())},
                 {"state", JobStateName(job.state())},
                 {"encoder", job.spec().has_fine_tuning() ? "fine-tuning" : EncoderKindName(job.spec().encoder())},
                 {"summary", job.spec().has_fine_tuning() ? "fine-tuning" : EncoderSummary(job.spec().encoder())},
                 {"dataset", DatasetText(job.spec().dataset())},
                 {"created", TimeJson(job.has_created(), job.created())},
                 {"started", TimeJson(job.has_started(), job.started())},
                 {"finished", TimeJson(job.has_finished(), job.finished())},
                 {"attempts", job.attempts()},
                 {"last_sequence", job.last_sequence()}};
  if (job.spec().has_base())
    result["base"] = absl::StrCat(Text(job.spec().base().model()), ":", job.spec().base().version());
  if (job.has_progress()) result["progress"] = ProgressJson(job.progress());
  if (job.has_error()) result["error"] = FailureJson(job.error());
  if (job.model_version() != 0) result["model_version"] = job.model_version();
  return result;
}

json JobEventJson(const v1::JobEvent& event) {
  json result = {{"sequence", event.sequence()},
                 {"time", TimeJson(event.has_time(), event.time())},
                 {"state", JobStateName(event.state())}};
  if (event.has_progress()) result["progress"] = ProgressJson(event.progress());
  if (event.has_error()) result["error"] = FailureJson(event.error());
  if (event.model_version() != 0) result["model_version"] = event.model_version();
  return result;
}

json CurveJson(const std::vector<v1::JobEvent>& events, size_t most) {
  std::vector<const v1::TrainingProgress*> reports;
  for (const v1::JobEvent& event : events) {
    if (event.has_progress()) reports.push_back(&event.progress());
  }
  json epochs = json::array(), loss = json::array(), k = json::array(), dead = json::array(), rate = json::array();
  const size_t kept = std::min(reports.size(), std::max<size_t>(most, 1));
  for (size_t i = 0; i < kept; ++i) {
    const v1::TrainingProgress& report = *reports[(i + 1) * reports.size() / kept - 1];
    epochs.push_back(report.fraction() * report.epochs());
    loss.push_back(report.loss());
    k.push_back(report.k());
    dead.push_back(report.dead_units());
    rate.push_back(report.images_per_second());
  }
  return {{"epochs", std::move(epochs)},
          {"loss", std::move(loss)},
          {"k", std::move(k)},
          {"dead_units", std::move(dead)},
          {"images_per_second", std::move(rate)}};
}

json DescriptionJson(const v1::ModelDescription& description) {
  const int layers = LayerCount(description.encoder());
  const v1::EncoderSpec& top = LayerSpec(description.encoder(), layers - 1);
  const Shape code = CodeShape(description);
  const bool maps = top.has_winner_take_all() && code.size() == 3;
  const v1::TrainingStatistics& statistics = description.statistics();
  json result = {{"encoder", EncoderKindName(description.encoder())},
                 {"summary", EncoderSummary(description.encoder())},
                 {"unit_kind", maps ? "map" : "unit"},
                 {"units", code.front()},
                 {"input_width", description.input_width()},
                 {"code_width", description.code_width()},
                 {"input", ShapeJson(InputImageOf(description))},
                 {"fine_tuned", description.has_fine_tuning()},
                 {"dataset", DatasetText(description.dataset())},
                 {"created", TimeJson(description.has_created(), description.created())},
                 {"job", Text(description.job_id())},
                 {"training",
                  {{"loss", statistics.loss()},
                   {"fraction_variance_unexplained", statistics.fraction_variance_unexplained()},
                   {"dead_units", statistics.dead_units()},
                   {"dead_window_rows", statistics.dead_window_rows()},
                   {"images_per_second", statistics.images_per_second()},
                   {"seconds", statistics.train_seconds()},
                   {"rows", statistics.training_rows()},
                   {"epochs", description.training().epochs()}}}};
  if (statistics.has_activation_fraction()) {
    result["training"]["activation_fraction"] = statistics.activation_fraction();
    result["training"]["activity_window_rows"] = statistics.activity_window_rows();
  }
  if (maps) result["map"] = {{"height", code[1]}, {"width", code[2]}};
  if (top.has_k_sparse()) result["k"] = top.k_sparse().k();
  return result;
}

json ModelSummaryJson(const v1::Model& model) {
  json result = {{"name", Text(model.name())},
                 {"serving_version", model.serving_version()},
                 {"versions", model.versions_size()},
                 {"problems", TextsJson(model.problems())}};
  const v1::ModelVersion* serving = ServingVersion(model);
  if (serving != nullptr && serving->has_description()) {
    result["description"] = DescriptionJson(serving->description());
    result["parameter_bytes"] = serving->parameter_bytes();
  }
  return result;
}

json ModelJson(const v1::Model& model) {
  json labels = json::object(), versions = json::array();
  for (const auto& [label, version] : model.labels()) labels[label] = version;
  for (int i = model.versions_size() - 1; i >= 0; --i) versions.push_back(VersionJson(model.versions(i)));
  return {{"name", Text(model.name())},
          {"serving_version", model.serving_version()},
          {"labels", std::move(labels)},
          {"versions", std::move(versions)},
          {"problems", TextsJson(model.problems())}};
}

json ServerJson(const v1::StatusResponse& status) {
  json device;  // null: none, and none was looked for
  if (status.has_device()) {
    device = {
        {"name", Text(status.device().name())},           {"failure", Text(status.device().failure())},
        {"memory_bytes", status.device().memory_bytes()}, {"used_bytes", status.device().used_bytes()},
        {"models_bytes", status.device().models_bytes()}, {"models_bytes_limit", status.device().models_bytes_limit()}};
  }
  return {{"version", status.kwta_version()},
          {"started", TimeJson(status.has_started(), status.started())},
          {"draining", status.draining()},
          {"backend", status.backend()},
          {"cpu_features", TextsJson(status.cpu_features())},
          {"threads", status.threads()},
          {"models", status.models()},
          {"jobs",
           {{"queued", status.jobs_queued()},
            {"running", status.jobs_running()},
            {"succeeded", status.jobs_succeeded()},
            {"failed", status.jobs_failed()},
            {"cancelled", status.jobs_cancelled()}}},
          {"encode_requests", status.encode_requests()},
          {"rows_encoded", status.rows_encoded()},
          {"device", std::move(device)},
          {"waiting_for_store", Text(status.waiting_for_store())}};
}

}  // namespace kwta::server
