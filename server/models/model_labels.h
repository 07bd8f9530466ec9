// The labels of a model as they are kept beside its versions, in DIRECTORY/<name>/labels.json:
//   {"labels": {"canary": 5, "stable": 4}, "previous_stable": 3}
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Labels that somebody may set on one model.
inline constexpr size_t kMaxLabels = 16;

// Errors: DATA_LOSS saying what is wrong with the text.
absl::StatusOr<ModelLabels> ParseModelLabels(absl::string_view json);
std::string FormatModelLabels(const ModelLabels& labels);

// `labels` once `label` was set to `version`, or taken away (version 0). `stable` is what "stable" means at present; it
// becomes previous_stable if "stable" is set to another; previous_stable is forgotten if "stable" is taken away.
// Errors: INVALID_ARGUMENT (form of the label), RESOURCE_EXHAUSTED (too many).
absl::StatusOr<ModelLabels> WithLabel(ModelLabels labels, absl::string_view label, uint64_t version, uint64_t stable);

}  // namespace kwta::server
