// Reports changes of models to the log and the metrics.
#pragma once

#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Returns events that log and record. REQUIRES: metrics outlives the manager that uses them.
ModelManager::Events ReportModelsTo(Metrics* metrics);

// Logs how and where the codes of a version are found, as far as there is a choice.
void TellPath(const ServedModel& model);

}  // namespace kwta::server
