// The messages of the service in the form of the status page's JSON API. docs/http-api.md describes it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "kwta/v1/service.pb.h"

namespace kwta::server {

// Times are seconds since 1970, or null. Every text is UTF-8; nothing is escaped for HTML.

nlohmann::json JobJson(const v1::Job& job);
nlohmann::json JobEventJson(const v1::JobEvent& event);
// The loss and what goes with it after each report of progress, at most about `most` of them, evenly spaced, the last
// one included: {"epochs": [...], "loss": [...], "k": [...], "dead_units": [...], "images_per_second": [...]}. `epochs`
// is the position, in epochs.
nlohmann::json CurveJson(const std::vector<v1::JobEvent>& events, size_t most);

// What a list of models shows of one.
nlohmann::json ModelSummaryJson(const v1::Model& model);
// All that is known of a model and its versions, newest first.
nlohmann::json ModelJson(const v1::Model& model);
// The units, extents and training of a version.
nlohmann::json DescriptionJson(const v1::ModelDescription& description);

nlohmann::json ServerJson(const v1::StatusResponse& status);

}  // namespace kwta::server
