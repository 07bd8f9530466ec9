#include "server/web/rest/rest_routes.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/services/unserved_text.h"
#include "server/web/rest/rest_json.h"
#include "server/web/rest/rest_request.h"
#include "server/web/rest/rest_response.h"

namespace kwta::server {
namespace {

constexpr int64_t kMostSmallBody = 64 << 10;
// Requests of up to this many bytes or rows are converted on the port's thread.
constexpr size_t kMostQuickBytes = 256 << 10;
constexpr int64_t kMostQuickRows = 4;
constexpr char kHeaderLength[] = "inference-header-content-length";

HttpResponse ToResponse(const nlohmann::ordered_json& json) { return HttpJson(absl::StrCat(json.dump(), "\n")); }

template <typename Message>
HttpResponse ToResponse(const absl::StatusOr<Message>& message) {
  return message.ok() ? ToResponse(ToRestJson(*message)) : HttpError(message.status());
}

// The model and the version of a path as `Request` has them.
template <typename Request>
Request NamedBy(const HttpRequest& http) {
  Request request;
  request.set_name(http.Segment("model"));
  request.set_version(http.Segment("version"));
  return request;
}

// One request of .../infer.
struct RestInference {
  InferenceHandler* handler;
  int64_t max_message_bytes;
  HttpExchangePtr exchange;
  RestInferRequest parsed;
};
using RestInferencePtr = std::shared_ptr<RestInference>;

void AnswerRest(const RestInference& inference, const InferenceHandler::MakeAnswer& answer) {
  const absl::StatusOr<inference::ModelInferResponse> response = answer();
  absl::StatusOr<HttpResponse> written =
      response.ok() ? WriteRestInferResponse(*response, inference.parsed, inference.max_message_bytes)
                    : response.status();
  inference.exchange->Reply(written.ok() ? *std::move(written) : HttpError(written.status()));
}

void StartRest(const RestInferencePtr& inference) {
  const HttpRequest& http = inference->exchange->request();
  absl::StatusOr<RestInferRequest> parsed =
      ParseRestInferRequest(inference->exchange->TakeBody(), http.Header(kHeaderLength));
  if (!parsed.ok()) return inference->exchange->Reply(HttpError(parsed.status()));
  inference->parsed = *std::move(parsed);
  inference::ModelInferRequest& request = inference->parsed.request;
  request.set_model_name(http.Segment("model"));
  request.set_model_version(http.Segment("version"));
  const bool quick =
      request.inputs_size() > 0 && request.inputs(0).shape_size() > 0 && request.inputs(0).shape(0) <= kMostQuickRows;
  inference->handler->StartInfer(
      &request, inference->exchange->Context(), [inference, quick](InferenceHandler::MakeAnswer answer) {
        auto work = [inference, answer = std::move(answer)] { AnswerRest(*inference, answer); };
        if (quick) return inference->exchange->RunOnPort(std::move(work));
        inference->exchange->RunComputing(std::move(work));
      });
}

void InferRest(InferenceHandler* handler, int64_t max_message_bytes, const HttpExchangePtr& exchange) {
  const auto inference = std::make_shared<RestInference>(RestInference{handler, max_message_bytes, exchange, {}});
  if (exchange->request().body.size() <= kMostQuickBytes) return StartRest(inference);
  exchange->RunComputing([inference] { StartRest(inference); });
}

HttpResponse ReadyResponse(const absl::Status& status, const std::string& name) {
  if (!status.ok()) return HttpError(status);
  return ToResponse(nlohmann::ordered_json{{"name", name}, {"ready", true}});
}

// Adds routes with less to say in each line.
class RestTable {
 public:
  RestTable(InferenceHandler* handler, HttpRoutes* routes) : handler_(*handler), routes_(*routes) {}

  HttpRoute& Add(const char* verb, std::string pattern, const Method* method, HttpHandler handler) {
    HttpRoute route;
    route.verb = verb;
    route.pattern = std::move(pattern);
    route.access = method == nullptr ? HttpAccess::kEverybody : HttpAccess::kMethod;
    route.method = method;
    route.handler = std::move(handler);
    return routes_.Add(std::move(route));
  }

  void AddHealth() {
    Add("GET", "/v2/health/live", nullptr, QuickHandler([](const HttpRequest&) {
          return ToResponse(nlohmann::ordered_json{{"live", true}});
        }));
    Add("GET", "/v2/health/ready", nullptr, QuickHandler([handler = &handler_](const HttpRequest&) {
          HttpResponse response = ToResponse(nlohmann::ordered_json{{"ready", handler->Ready()}});
          if (!handler->Ready()) response.code = 503;
          return response;
        }));
    Add("GET", "/v2", &methods::kServerMetadata, QuickHandler([handler = &handler_](const HttpRequest&) {
          return ToResponse(ToRestJson(handler->ServerMetadata()));
        }));
  }

  // `model` is the path of a model, or of a version of it.
  void AddModel(const std::string& model, int64_t max_message_bytes) {
    InferenceHandler* handler = &handler_;
    Add("GET", model, &methods::kModelMetadata, BlockingHandler([handler](const HttpRequest& http) {
          return ToResponse(handler->ModelMetadata(NamedBy<inference::ModelMetadataRequest>(http)));
        }));
    Add("GET", model + "/ready", &methods::kModelReady, QuickHandler([handler](const HttpRequest& http) {
          const absl::Status ready = handler->CheckModelReady(NamedBy<inference::ModelReadyRequest>(http));
          return ReadyResponse(ready, http.Segment("model"));
        }));
    Add("GET", model + "/config", &methods::kModelConfig, BlockingHandler([handler](const HttpRequest& http) {
          const auto config = handler->ModelConfig(NamedBy<inference::ModelConfigRequest>(http));
          return config.ok() ? ToResponse(ToRestJson(config->config())) : HttpError(config.status());
        }));
    AddStatistics(model + "/stats");
    HttpRoute& infer = Add("POST", model + "/infer", &methods::kModelInfer,
                           [handler, max_message_bytes](const HttpExchangePtr& exchange) {
                             InferRest(handler, max_message_bytes, exchange);
                           });
    infer.max_body_bytes = max_message_bytes;
    // What curl says of --data if it is not told otherwise is the third.
    infer.body_types = {"application/json", "application/octet-stream", "application/x-www-form-urlencoded"};
  }

  void AddStatistics(const std::string& path) {
    Add("GET", path, &methods::kModelStatistics, QuickHandler([handler = &handler_](const HttpRequest& http) {
          return ToResponse(handler->ModelStatistics(NamedBy<inference::ModelStatisticsRequest>(http)));
        }));
  }

  void AddRepository() {
    InferenceHandler* handler = &handler_;
    Add("POST", "/v2/repository/index", &methods::kRepositoryIndex, QuickHandler([handler](const HttpRequest& http) {
          const auto request = ParseRestIndexRequest(http.body);
          if (!request.ok()) return HttpError(request.status());
          return ToResponse(ToRestJson(handler->RepositoryIndex(*request))["models"]);
        }))
        .max_body_bytes = kMostSmallBody;
    Add("POST", "/v2/repository/models/{model}/load", &methods::kRepositoryModelLoad,
        BlockingHandler([handler](const HttpRequest& http) {
          auto request = ParseRestLoadRequest(http.body);
          if (!request.ok()) return HttpError(request.status());
          request->set_model_name(http.Segment("model"));
          return ToResponse(handler->Load(*request));
        }))
        .max_body_bytes = kMostSmallBody;
    Add("POST", "/v2/repository/models/{model}/unload", &methods::kRepositoryModelUnload,
        BlockingHandler([handler](const HttpRequest& http) {
          auto request = ParseRestUnloadRequest(http.body);
          if (!request.ok()) return HttpError(request.status());
          request->set_model_name(http.Segment("model"));
          return ToResponse(handler->Unload(*request));
        }))
        .max_body_bytes = kMostSmallBody;
  }

  // Paths of Triton that other servers have: the answer says what is not served.
  void AddUnserved() {
    for (const auto& [room, call] :
         {std::pair("systemsharedmemory", "SystemSharedMemory"), std::pair("cudasharedmemory", "CudaSharedMemory")}) {
      const std::string path = absl::StrCat("/v2/", room);
      AddUnserved("GET", path + "/status", absl::StrCat(call, "Status"));
      AddUnserved("POST", path + "/unregister", absl::StrCat(call, "Unregister"));
      AddUnserved("GET", path + "/region/{region}/status", absl::StrCat(call, "Status"));
      AddUnserved("POST", path + "/region/{region}/register", absl::StrCat(call, "Register"));
      AddUnserved("POST", path + "/region/{region}/unregister", absl::StrCat(call, "Unregister"));
    }
    for (const char* verb : {"GET", "POST"}) {
      AddUnserved(verb, "/v2/trace/setting", "TraceSetting");
      AddUnserved(verb, "/v2/models/{model}/trace/setting", "TraceSetting");
      AddUnserved(verb, "/v2/logging", "LogSettings");
    }
  }

 private:
  void AddUnserved(const char* verb, const std::string& pattern, const std::string& call) {
    const absl::Status status =
        absl::UnimplementedError(UnservedText(absl::StrCat("/inference.GRPCInferenceService/", call)));
    Add(verb, pattern, nullptr, QuickHandler([status](const HttpRequest&) { return HttpError(status); })).access =
        HttpAccess::kTrusted;
  }

  InferenceHandler& handler_;
  HttpRoutes& routes_;
};

}  // namespace

void AddRestRoutes(InferenceHandler* handler, int64_t max_message_bytes, HttpRoutes* routes) {
  RestTable table(handler, routes);
  table.AddHealth();
  table.AddModel("/v2/models/{model}", max_message_bytes);
  table.AddModel("/v2/models/{model}/versions/{version}", max_message_bytes);
  table.AddStatistics("/v2/models/stats");
  table.AddRepository();
  table.AddUnserved();
}

}  // namespace kwta::server
