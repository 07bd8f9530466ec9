// Reports changes of models to the log and the metrics.
#pragma once

#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Returns events that log and record. REQUIRES: metrics outlives the manager that uses them.
ModelManager::Events ReportModelsTo(Metrics* metrics);

}  // namespace kwta::server
