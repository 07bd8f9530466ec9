// A model's labels, stored beside its versions in DIRECTORY/<name>/labels.json:
//   {"labels": {"canary": 5, "stable": 4}, "previous_stable": 3}
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/models/served_model.h"

namespace kwta::server {

// The most labels that may be set on one model.
inline constexpr size_t kMaxLabels = 16;

// Errors: DATA_LOSS saying what is wrong with the text.
absl::StatusOr<ModelLabels> ParseModelLabels(absl::string_view json);
std::string FormatModelLabels(const ModelLabels& labels);

// Returns `labels` with `label` set to `version`, or removed (version 0). `stable` is the version that "stable" means
// now. If "stable" is set to another version, `stable` becomes previous_stable; if "stable" is removed, previous_stable
// is dropped. Errors: INVALID_ARGUMENT (malformed label), RESOURCE_EXHAUSTED (too many).
absl::StatusOr<ModelLabels> WithLabel(ModelLabels labels, absl::string_view label, uint64_t version, uint64_t stable);

}  // namespace kwta::server
