// The models that are placed on the device if they can be.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

struct DeviceModels {
  bool all = true;
  std::vector<std::string> names;  // those, if not all

  bool Include(absl::string_view model) const;
};

// Reads "all", "none" or names with commas between them. Errors: INVALID_ARGUMENT saying what is no name.
absl::StatusOr<DeviceModels> ParseDeviceModels(absl::string_view text);

}  // namespace kwta::server
