// The activities of a winner-take-all encoder for one image, for pictures.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "core/tensors/tensor.h"

namespace kwta {

struct WinnerMaps {
  std::vector<float> input;    // [channels, height, width], preprocessed
  std::vector<float> winners;  // [maps, height, width]: the one winner of each map, as in training; zero elsewhere
  std::vector<float> open;     // [maps, height, width]: every activity, with the sparsity off
  std::vector<float> pooled;   // [maps, pooled height, pooled width]
};

// REQUIRES: `model` is a winner-take-all model and `image` one row of its input.
absl::StatusOr<WinnerMaps> MapsOfImage(const ModelBundle& model, const RowsView& image, Backend& backend);

}  // namespace kwta
