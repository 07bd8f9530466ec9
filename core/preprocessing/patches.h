// Steps that act on a data set rather than on a row: they turn views into rows and cut patches from images.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Cuts patches [channels, size, size] from data's images. Patches keep data's element type and their image's label, and
// lie in a scratch file in `directory`. The seed draws, for one patch after another, the image, the top line and the
// left column. Errors: file-system errors. REQUIRES: `image` [channels, height, width] is data's row, size fits.
absl::StatusOr<Dataset> DrawPatches(const Dataset& data, const Shape& image, const v1::RandomPatchesStep& spec,
                                    const std::string& directory);

}  // namespace kwta
