#include "server/placement/device_models.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/io/model_bundle.h"

namespace kwta::server {

bool DeviceModels::Include(absl::string_view model) const {
  return all || std::find(names.begin(), names.end(), model) != names.end();
}

absl::StatusOr<DeviceModels> ParseDeviceModels(absl::string_view text) {
  DeviceModels models;
  models.all = text == "all";
  if (models.all || text == "none") return models;
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    const absl::Status valid = ValidateName("model", name);
    if (!valid.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected all, none or names with commas between them: ", valid.message()));
    }
    models.names.emplace_back(name);
  }
  return models;
}

}  // namespace kwta::server
