#include <cstdlib>

#include "server/models/model_labels.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto labels = kwta::server::ParseModelLabels(absl::string_view(reinterpret_cast<const char*>(data), size));
  // What was understood is understood again.
  if (labels.ok() && !(*kwta::server::ParseModelLabels(kwta::server::FormatModelLabels(*labels)) == *labels)) {
    std::abort();
  }
  return 0;
}
