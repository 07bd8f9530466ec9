// Models of Fashion-MNIST whose codes can be told by looking at a row.
#pragma once

#include <memory>

#include "core/io/model_bundle.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Two units, of which a row activates one: the first with the sum of the row's pixels, of which each is 0 .. 1. The
// second is never active.
ModelBundle BrightnessBundle();

// Two maps of 7 x 7: the first is the picture, each window of 4 x 4 pixels pooled; the second is never active.
ModelBundle MapsBundle();

// The encoder of a bundle, on the reference backend.
absl::StatusOr<std::shared_ptr<const Encoder>> EncoderOf(const ModelBundle& bundle);

// Version 1 of a bundle, in memory only.
std::shared_ptr<ServedModel> Serve(const ModelBundle& bundle);

}  // namespace kwta::server
