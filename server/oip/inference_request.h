// Requests of the Open Inference Protocol as requests of our own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"
#include "kwta/v1/service.pb.h"

namespace kwta::server {

// The tensors of a model. Every model has the first three outputs; row_splits only those whose rows have different
// numbers of non-zeros.
inline constexpr char kInput[] = "input";
inline constexpr char kFeatures[] = "features";
inline constexpr char kIndices[] = "indices";
inline constexpr char kValues[] = "values";
inline constexpr char kRowSplits[] = "row_splits";

// A version as this protocol names it: a number, a label, or nothing.
struct VersionName {
  uint64_t version = 0;
  std::string label;
};
VersionName ParseVersion(const std::string& text);

struct InferenceRequest {
  v1::EncodeRequest encode;
  // Outputs wanted, in the order asked for; empty: all that the model has.
  std::vector<std::string> outputs;
  std::string id;
  // Unless 0, 'features' are to be told as the best so many classes of each row.
  int64_t classes = 0;
};

// Takes the elements out of `request` without copying them, unless they come as 32-bit integers. Parameters "k" (an
// integer) and "alpha" (a number) choose how many activities a row keeps; what clients of Triton set by themselves is
// passed over. Errors: INVALID_ARGUMENT naming what is wrong and what was expected, UNIMPLEMENTED (shared memory,
// sequences).
absl::StatusOr<InferenceRequest> ConvertRequest(inference::ModelInferRequest* request);

}  // namespace kwta::server
