#include "server/web/api/api_routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "server/services/method.h"
#include "server/web/api/live_streams.h"
#include "server/web/api/status_json.h"

namespace kwta::server {
namespace {

using nlohmann::json;

constexpr int64_t kMaxPictureBytes = int64_t{16} << 20;
constexpr int64_t kUnitsOfAPage = 256;
constexpr int64_t kColumns = 16;
constexpr size_t kCurvePoints = 400;
constexpr int64_t kMostEvents = 4096;

HttpResponse ReplyOf(const absl::StatusOr<json>& result) {
  return result.ok() ? HttpJson(result->dump()) : HttpError(result.status());
}

// Reads a number of the query. Errors: INVALID_ARGUMENT.
absl::StatusOr<int64_t> NumberOf(const HttpRequest& request, const std::string& name, int64_t otherwise) {
  const std::string& text = request.Query(name);
  int64_t number = otherwise;
  if (text.empty() || (absl::SimpleAtoi(text, &number) && number >= 0)) return number;
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is '", text, "'; expected a number of at least 0"));
}

absl::StatusOr<int64_t> NumberInPath(const HttpRequest& request, const std::string& name) {
  const std::string& text = request.Segment(name);
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= 0) return number;
  return absl::InvalidArgumentError(absl::StrCat(name, " is '", text, "'; expected a number of at least 0"));
}

// The version that the query names, else the one that label "stable" means.
absl::StatusOr<ModelSelector> SelectorOf(const HttpRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const int64_t version, NumberOf(request, "version", 0));
  return ModelSelector{request.Segment("model"), static_cast<uint64_t>(version)};
}

absl::StatusOr<std::vector<int64_t>> UnitsOfQuery(const HttpRequest& request) {
  std::vector<int64_t> units;
  for (const absl::string_view text : absl::StrSplit(request.Query("units"), ',')) {
    if (!absl::SimpleAtoi(text, &units.emplace_back())) {
      return absl::InvalidArgumentError("'units' is not a list of numbers such as 0,5,17");
    }
  }
  return units;
}

class StatusApiRoutes : public StatusApi {
 public:
  explicit StatusApiRoutes(ApiParts parts)
      : parts_(std::move(parts)),
        views_(parts_.models, parts_.encode, parts_.data_directories, parts_.live_use),
        live_([this] { return Overview().body; }, parts_.store) {}

  void AddTo(HttpRoutes* routes) override {
    AddJobs(routes);
    AddModels(routes);
    Add(routes, "GET", "/api/overview", methods::kStatus,
        BlockingHandler([this](const HttpRequest&) { return Overview(); }));
    Add(routes, "GET", "/api/events", methods::kStatus,
        [this](const HttpExchangePtr& exchange) { live_.AddOverview(exchange->Stream(EventStream())); });
  }

 private:
  using View = std::function<absl::StatusOr<json>(const HttpRequest&, const CallContext&)>;

  static void Add(HttpRoutes* routes, const char* verb, const char* pattern, const Method& method, HttpHandler handler,
                  int64_t max_body_bytes = 0) {
    HttpRoute route;
    route.verb = verb;
    route.pattern = pattern;
    route.access = HttpAccess::kMethod;
    route.method = &method;
    route.max_body_bytes = max_body_bytes;
    route.handler = std::move(handler);
    routes->Add(std::move(route));
  }

  // A route whose answer is JSON and may take a while.
  static void AddView(HttpRoutes* routes, const char* verb, const char* pattern, const Method& method, View view,
                      int64_t max_body_bytes = 0) {
    Add(
        routes, verb, pattern, method,
        [view = std::move(view)](const HttpExchangePtr& exchange) {
          exchange->RunBlocking(
              [view, exchange] { exchange->Reply(ReplyOf(view(exchange->request(), exchange->Context()))); });
        },
        max_body_bytes);
  }

  static HttpResponse EventStream() {
    HttpResponse response;
    response.type = "text/event-stream";
    return response;
  }

  HttpResponse Overview() const {
    const absl::StatusOr<v1::StatusResponse> status = parts_.status();
    if (!status.ok()) return HttpError(status.status());
    const ServerLoad load = parts_.load();
    json overview = ServerJson(*status);
    overview["queue"] = {{"rows", load.queue_rows}, {"bytes", load.queue_bytes}};
    overview["calls_in_flight"] = load.calls_in_flight;
    overview["rows_per_second"] = load.rows_per_second;
    overview["refused"] = {{"calls", load.refused_calls}, {"connections", load.refused_connections}};
    return HttpJson(overview.dump());
  }

  void AddJobs(HttpRoutes* routes) {
    AddView(routes, "GET", "/api/jobs", methods::kListJobs,
            [this](const HttpRequest& request, const CallContext&) { return ListJobs(request); });
    AddView(routes, "GET", "/api/jobs/{job}", methods::kListJobs,
            [this](const HttpRequest& request, const CallContext&) { return ShowJob(request.Segment("job")); });
    AddView(routes, "POST", "/api/jobs/{job}/cancel", methods::kCancelJob,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              v1::CancelJobRequest cancel;
              cancel.set_job_id(request.Segment("job"));
              KWTA_ASSIGN_OR_RETURN(const v1::CancelJobResponse response, parts_.jobs->CancelJob(cancel));
              return JobJson(response.job());
            });
    Add(routes, "GET", "/api/jobs/{job}/events", methods::kWatchJob,
        [this](const HttpExchangePtr& exchange) { exchange->RunBlocking([this, exchange] { WatchJob(exchange); }); });
  }

  absl::StatusOr<json> ListJobs(const HttpRequest& request) {
    v1::ListJobsRequest list;
    KWTA_ASSIGN_OR_RETURN(const int64_t limit, NumberOf(request, "limit", 50));
    list.set_limit(static_cast<uint32_t>(std::min<int64_t>(limit, 1000)));
    KWTA_ASSIGN_OR_RETURN(const v1::ListJobsResponse response, parts_.jobs->ListJobs(list));
    json jobs = json::array();
    for (const v1::Job& job : response.jobs()) jobs.push_back(JobJson(job));
    return json{{"jobs", std::move(jobs)}};
  }

  absl::StatusOr<json> ShowJob(const std::string& id) {
    KWTA_ASSIGN_OR_RETURN(const v1::Job job, parts_.store->Get(id));
    KWTA_ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events, parts_.store->EventsAfter(id, 0, kMostEvents));
    return json{{"job", JobJson(job)}, {"curve", CurveJson(events, kCurvePoints)}};
  }

  void WatchJob(const HttpExchangePtr& exchange) {
    const HttpRequest& request = exchange->request();
    const std::string& id = request.Segment("job");
    const absl::Status found = parts_.store->Get(id).status();
    if (!found.ok()) return exchange->Reply(HttpError(found));
    // A client that connects again says which event it had last.
    int64_t after = 0;
    if (!absl::SimpleAtoi(request.Header("last-event-id"), &after)) {
      const absl::StatusOr<int64_t> asked = NumberOf(request, "after", 0);
      if (!asked.ok()) return exchange->Reply(HttpError(asked.status()));
      after = *asked;
    }
    live_.AddJob(exchange->Stream(EventStream()), id, static_cast<uint64_t>(after));
  }

  void AddModels(HttpRoutes* routes) {
    AddView(routes, "GET", "/api/models", methods::kListModels,
            [this](const HttpRequest&, const CallContext&) -> absl::StatusOr<json> {
              KWTA_ASSIGN_OR_RETURN(const v1::ListModelsResponse response, parts_.model_handler->ListModels({}));
              json models = json::array();
              for (const v1::Model& model : response.models()) models.push_back(ModelSummaryJson(model));
              return json{{"models", std::move(models)}};
            });
    AddView(routes, "GET", "/api/models/{model}", methods::kGetModel,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              v1::GetModelRequest get;
              get.set_model(request.Segment("model"));
              KWTA_ASSIGN_OR_RETURN(const v1::GetModelResponse response, parts_.model_handler->GetModel(get));
              return ModelJson(response.model());
            });
    AddView(routes, "POST", "/api/models/{model}/rollback", methods::kRollBackModel,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              v1::RollBackModelRequest roll;
              roll.set_model(request.Segment("model"));
              KWTA_ASSIGN_OR_RETURN(const v1::RollBackModelResponse response,
                                    parts_.model_handler->RollBackModel(roll));
              return ModelJson(response.model());
            });
    AddView(routes, "GET", "/api/models/{model}/activity", methods::kModelUnits,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
              return views_.Activity(model);
            });
    AddUnits(routes);
    AddExaminations(routes);
  }

  void AddUnits(HttpRoutes* routes) {
    AddView(routes, "GET", "/api/models/{model}/units", methods::kModelUnits,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
              KWTA_ASSIGN_OR_RETURN(const int64_t from, NumberOf(request, "from", 0));
              KWTA_ASSIGN_OR_RETURN(const int64_t count, NumberOf(request, "count", kUnitsOfAPage));
              return views_.Units(model, request.Query("order") != "number", from, count);
            });
    AddView(routes, "GET", "/api/models/{model}/units/{unit}", methods::kModelUnits,
            [this](const HttpRequest& request, const CallContext&) -> absl::StatusOr<json> {
              KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
              KWTA_ASSIGN_OR_RETURN(const int64_t unit, NumberInPath(request, "unit"));
              return views_.Unit(model, unit);
            });
    Add(routes, "GET", "/api/models/{model}/units.png", methods::kModelUnits,
        BlockingHandler([this](const HttpRequest& request) {
          const absl::StatusOr<std::string> png = Pictures(request);
          if (!png.ok()) return HttpError(png.status());
          HttpResponse response;
          response.type = "image/png";
          response.body = *png;
          return response;
        }));
  }

  absl::StatusOr<std::string> Pictures(const HttpRequest& request) {
    KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
    KWTA_ASSIGN_OR_RETURN(const std::vector<int64_t> units, UnitsOfQuery(request));
    KWTA_ASSIGN_OR_RETURN(const int64_t columns, NumberOf(request, "columns", kColumns));
    return views_.Pictures(model, units, columns);
  }

  void AddExaminations(HttpRoutes* routes) {
    AddView(routes, "GET", "/api/models/{model}/samples/{row}", methods::kExamineRow,
            [this](const HttpRequest& request, const CallContext& context) -> absl::StatusOr<json> {
              KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
              KWTA_ASSIGN_OR_RETURN(const int64_t row, NumberInPath(request, "row"));
              return views_.ExamineSample(model, row, context);
            });
    AddView(
        routes, "POST", "/api/models/{model}/examine", methods::kExamineRow,
        [this](const HttpRequest& request, const CallContext& context) -> absl::StatusOr<json> {
          KWTA_ASSIGN_OR_RETURN(const ModelSelector model, SelectorOf(request));
          const bool raw = absl::StartsWith(request.Header("content-type"), "application/octet-stream");
          return views_.ExamineBody(model, request.body, raw, context);
        },
        kMaxPictureBytes);
  }

  const ApiParts parts_;
  ModelViews views_;
  LiveStreams live_;
};

}  // namespace

std::unique_ptr<StatusApi> NewStatusApi(ApiParts parts) { return std::make_unique<StatusApiRoutes>(std::move(parts)); }

}  // namespace kwta::server
