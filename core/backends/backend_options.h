// Options for creating a backend.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta {

struct BackendOptions {
  int threads = 0;  // 0: every processor this process may use
  // Settings of the backend to create, by name; its header lists them.
  std::map<std::string, std::string> settings;
  // The number of the device to compute on, from 0; the first if not set. Processor backends have none.
  std::optional<int> device = {};
  // Called for each better backend of this build that this machine cannot run, if no backend is named.
  std::function<void(absl::string_view backend, const absl::Status& why)> passed_over = {};
};

// INVALID_ARGUMENT if `options` has a setting outside `known`, the settings of `backend`.
absl::Status CheckSettings(absl::string_view backend, const BackendOptions& options,
                           std::initializer_list<absl::string_view> known);

}  // namespace kwta
