#include "core/backends/backend_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kwta {

absl::Status CheckSettings(absl::string_view backend, const BackendOptions& options,
                           std::initializer_list<absl::string_view> known) {
  for (const auto& [name, value] : options.settings) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("the ", backend, " backend has no setting \"", name, "\"; ",
                                                   known.size() == 0 ? "it has none" : "it has ",
                                                   absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace kwta
