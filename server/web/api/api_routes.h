// The status page's JSON API on the HTTP port. docs/http-api.md describes it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/jobs/job_store.h"
#include "server/models/model_manager.h"
#include "server/services/encode_handler.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"
#include "server/web/api/model_views.h"
#include "server/web/http_routes.h"

namespace kwta::server {

// What is going on at this moment.
struct ServerLoad {
  int64_t queue_rows = 0, queue_bytes = 0;  // that wait to be encoded
  int64_t calls_in_flight = 0;
  std::vector<double> rows_per_second;  // encoded, one entry a second, oldest first
  // By reason, as in metrics, since the start.
  std::map<std::string, uint64_t> refused_calls, refused_connections;
};

// What the API depends on. REQUIRES: all of it outlives the API.
struct ApiParts {
  std::function<absl::StatusOr<v1::StatusResponse>()> status;
  std::function<ServerLoad()> load;
  std::function<LiveUse(const ServedModel&)> live_use;  // may be empty
  EncodeHandler* encode = nullptr;
  JobHandler* jobs = nullptr;
  JobStore* store = nullptr;
  ModelHandler* model_handler = nullptr;
  ModelManager* models = nullptr;
  std::vector<std::string> data_directories;
};

class StatusApi {
 public:
  virtual ~StatusApi() = default;
  // Adds the routes below /api. REQUIRES: the API outlives every server with these routes.
  virtual void AddTo(HttpRoutes* routes) = 0;
};
// Thread-safe once its routes are added.
std::unique_ptr<StatusApi> NewStatusApi(ApiParts parts);

}  // namespace kwta::server
