// Builds the answer of the Status call.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kwta/v1/service.pb.h"
#include "server/jobs/job_store.h"
#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"
#include "server/placement/serving_device.h"

namespace kwta::server {

// Facts that do not change while the server runs.
struct ServerFacts {
  std::string version;
  absl::Time started;
  std::string backend;
  int threads = 0;
  std::string http_address;
  int64_t max_message_bytes = 0;
  bool http_tls = false;
};

// `store_trouble` says why jobs wait for the store; `device` is that of a server that has one or looked for one.
// Thread-safe.
v1::StatusResponse ReportStatus(const ServerFacts& facts, bool draining, const ModelManager& models, JobStore& jobs,
                                const absl::Status& store_trouble, const Metrics& metrics,
                                const std::optional<DeviceState>& device = std::nullopt);

}  // namespace kwta::server
