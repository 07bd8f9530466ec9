// Steps that act on a data set rather than on a row: views that become rows, and patches cut from images.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Patches of data's images, [channels, size, size], in data's own element type, in a scratch file in `directory`; each
// with the label of its image. Patch after patch: the image, then the top line, then the left column, are drawn from
// the seed. Errors: what the file system gives. REQUIRES: `image` [channels, height, width] is data's row, size fits.
absl::StatusOr<Dataset> DrawPatches(const Dataset& data, const Shape& image, const v1::RandomPatchesStep& spec,
                                    const std::string& directory);

}  // namespace kwta
