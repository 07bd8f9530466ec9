// What the HTTP port serves besides the pages that monitoring reads.
#include <optional>
#include <utility>
#include <vector>

#include "server/server_parts.h"
#include "server/web/page/page_routes.h"
#include "server/web/rest/rest_routes.h"

namespace kwta::server {

std::function<absl::Status(const std::string&)> Server::Parts::MayBrowse() const {
  if (authenticator == nullptr) return nullptr;
  return [this](const std::string& header) { return authenticator->Authenticate(header, std::nullopt).status(); };
}

void Server::Parts::MakeStatusApi() {
  ApiParts api;
  api.status = [this] { return Status(); };
  api.load = [this] {
    const ServerGauges gauges = Gauges();
    const std::vector<uint64_t> rows = metrics->RowsBySecond();
    return ServerLoad{gauges.queue_rows,          gauges.queue_bytes,          gauges.calls,
                      {rows.begin(), rows.end()}, metrics->calls().Refusals(), metrics->connections().Refusals()};
  };
  api.live_use = [this](const ServedModel& model) {
    const std::optional<ModelActivity> activity = metrics->Activity(model.name, model.version);
    if (!activity.has_value()) return LiveUse();
    const std::vector<uint32_t>& rows = activity->counts.active_in;
    return LiveUse{activity->counts.rows, {rows.begin(), rows.end()}, activity->live_unexplained};
  };
  api.encode = encode_handler.get();
  api.jobs = job_handler.get();
  api.store = store.get();
  api.model_handler = model_handler.get();
  api.models = models.get();
  api.data_directories = DataDirectories();
  status_api = NewStatusApi(std::move(api));
}

void Server::Parts::ServeHttp() {
  MakeStatusApi();
  status_api->AddTo(http_routes.get());
  AddStatusPage(MayBrowse(), http_routes.get());
  AddRestRoutes(inference_handler.get(), options.max_message_bytes, http_routes.get());
  http->SetRoutes(std::move(http_routes));
}

}  // namespace kwta::server
