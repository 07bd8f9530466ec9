// What happens to models, in the log and in the metrics.
#pragma once

#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Events that log and record. REQUIRES: metrics outlives the manager that gets them.
ModelManager::Events ReportModelsTo(Metrics* metrics);

}  // namespace kwta::server
