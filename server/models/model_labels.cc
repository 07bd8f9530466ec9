#include "server/models/model_labels.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/model_bundle.h"
#include "nlohmann/json.hpp"

namespace kwta::server {

absl::StatusOr<ModelLabels> ParseModelLabels(absl::string_view json) {
  const auto root = nlohmann::json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  const auto bad = [](absl::string_view what) {
    return absl::DataLossError(absl::StrCat(
        "expected {\"labels\": {LABEL: VERSION, ...}, \"previous_stable\": ", "VERSION}, found that ", what));
  };
  if (!root.is_object()) return bad("it is no JSON object");
  ModelLabels labels;
  const auto set = root.find("labels");
  if (set == root.end() || !set->is_object()) return bad("'labels' is no object");
  for (const auto& [label, version] : set->items()) {
    if (!ValidateName("label", label).ok()) return bad("a label is not a name");
    if (!version.is_number_unsigned() || version.get<uint64_t>() == 0) {
      return bad(absl::StrCat("label '", label, "' is no version"));
    }
    if (labels.set.size() == kMaxLabels) return bad(absl::StrCat("there are more than ", kMaxLabels, " labels"));
    labels.set[label] = version.get<uint64_t>();
  }
  const auto previous = root.find("previous_stable");
  if (previous != root.end()) {
    if (!previous->is_number_unsigned()) return bad("'previous_stable' is no version");
    labels.previous_stable = previous->get<uint64_t>();
  }
  return labels;
}

std::string FormatModelLabels(const ModelLabels& labels) {
  nlohmann::json root;
  root["labels"] = nlohmann::json::object();
  for (const auto& [label, version] : labels.set) root["labels"][label] = version;
  if (labels.previous_stable != 0) root["previous_stable"] = labels.previous_stable;
  return root.dump(2) + "\n";
}

absl::StatusOr<ModelLabels> WithLabel(ModelLabels labels, absl::string_view label, uint64_t version, uint64_t stable) {
  KWTA_RETURN_IF_ERROR(ValidateName("label", label));
  const std::string name(label);
  if (version == 0) {
    labels.set.erase(name);
    if (name == kStableLabel) labels.previous_stable = 0;
  } else {
    labels.set[name] = version;
    if (labels.set.size() > kMaxLabels) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a model has at most ", kMaxLabels, " labels; remove one of them first"));
    }
    if (name == kStableLabel && stable != 0 && stable != version) labels.previous_stable = stable;
  }
  return labels;
}

}  // namespace kwta::server
