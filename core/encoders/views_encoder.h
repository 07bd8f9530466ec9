// An encoder of images whose channels are views, each encoded by itself: winner-take-all, section 3.3 (small NORB).
#pragma once

#include <memory>

#include "core/encoders/encoder.h"

namespace kwta {

// The encoder of a model with the step separate_views: a row is `views` rows of `of_a_view` side by side, and so are
// its codes and reconstructions; view v has the units v * units .. (v + 1) * units - 1. EncodeOptions.k counts the
// activities of a view, of which a row's code has `views` times as many.
std::shared_ptr<const Encoder> CreateViewsEncoder(std::shared_ptr<const Encoder> of_a_view, int64_t views);

// The model of one view that is inside a model with that step. Its tensors are copies. Errors: DATA_LOSS if the
// description's widths do not divide into its views.
absl::StatusOr<ModelBundle> ModelOfAView(const ModelBundle& bundle);

}  // namespace kwta
