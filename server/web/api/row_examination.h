// The code of one row and its reconstruction, for people.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "server/services/encode_handler.h"

namespace kwta::server {

// Encodes `row`, one row as the model takes it, and reconstructs it, through the queue that all calls go through.
// Waits. docs/http-api.md describes the result. Errors: those of Encode and Reconstruct. REQUIRES: the row has the
// model's input width.
absl::StatusOr<nlohmann::json> ExamineRow(EncodeHandler* encode, const ServedModelPtr& model, const RowsView& row,
                                          const CallContext& context);

// {"channels", "height", "width", "png"}: the picture of a row of `shape` as PNG in base64, `low` black and `high`
// white.
nlohmann::json PictureJson(const std::vector<float>& elements, const Shape& shape, float low, float high);

}  // namespace kwta::server
