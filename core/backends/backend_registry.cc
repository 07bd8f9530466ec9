#include "core/backends/backend_registry.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/backends/reference/reference_backend.h"
#ifdef KWTA_CUDA
#include "core/backends/cuda/runtime/create_backend.h"
#endif
#ifdef KWTA_ONEDNN
#include "core/backends/onednn/onednn_backend.h"
#endif

namespace kwta {
namespace {

struct Row {
  const char* name;
  bool on_device;
  absl::StatusOr<std::shared_ptr<Backend>> (*create)(const BackendOptions& options);
};

// Best first.
constexpr Row kBackends[] = {
#ifdef KWTA_CUDA
    {"cuda", true, cuda::CreateBackend},
#endif
#ifdef KWTA_ONEDNN
    {"onednn", false, onednn::CreateBackend},
#endif
    {"reference", false, CreateReferenceBackend},
};

}  // namespace

std::vector<std::string> BackendNames() {
  std::vector<std::string> names;
  for (const Row& row : kBackends) names.push_back(row.name);
  return names;
}

std::vector<std::string> DeviceBackendNames() {
  std::vector<std::string> names;
  for (const Row& row : kBackends) {
    if (row.on_device) names.push_back(row.name);
  }
  return names;
}

absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(absl::string_view name, const BackendOptions& options) {
  absl::Status last_failure;
  for (const Row& row : kBackends) {
    if (!name.empty() && name != row.name) continue;
    absl::StatusOr<std::shared_ptr<Backend>> backend = row.create(options);
    if (backend.ok() || !name.empty() || absl::IsInvalidArgument(backend.status())) return backend;
    last_failure = backend.status();
    if (options.passed_over) options.passed_over(row.name, last_failure);
  }
  if (!last_failure.ok()) return last_failure;
  return absl::NotFoundError(absl::StrCat("there is no backend \"", name, "\" in this build; it has ",
                                          absl::StrJoin(BackendNames(), ", "), " (empty takes the best)"));
}

}  // namespace kwta
