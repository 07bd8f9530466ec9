// Encodes each channel (view) of an image by itself: winner-take-all, section 3.3 (small NORB).
#pragma once

#include <memory>

#include "core/encoders/encoder.h"

namespace kwta {

// Makes the encoder of a model with the step separate_views. A row is `views` rows of `of_a_view` side by side, and so
// are its codes and reconstructions. View v has the units v * units .. (v + 1) * units - 1. EncodeOptions.k counts the
// activities of one view; a row's code has `views` times as many.
std::shared_ptr<const Encoder> CreateViewsEncoder(std::shared_ptr<const Encoder> of_a_view, int64_t views);

// Returns the model of one view from a model with that step. Copies its tensors. Errors: DATA_LOSS if the description's
// widths do not divide into its views.
absl::StatusOr<ModelBundle> ModelOfAView(const ModelBundle& bundle);

}  // namespace kwta
