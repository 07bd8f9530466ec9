// The files of a model bundle.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kwta {

inline constexpr char kBundleDescriptionFile[] = "model.json";
inline constexpr char kBundleTensorFile[] = "model.safetensors";

// Refuses a link in place of a file. Whoever may add models could use it to see everything that the server can read.
// Errors: DATA_LOSS.
absl::Status CheckIsNoLink(const std::string& path);

}  // namespace kwta
