// Converts requests of the Open Inference Protocol to requests of our own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"
#include "kwta/v1/service.pb.h"

namespace kwta::server {

// The tensors of a model. Every model has the first three outputs. Only models whose rows differ in their numbers of
// non-zeros have row_splits.
inline constexpr char kInput[] = "input";
inline constexpr char kFeatures[] = "features";
inline constexpr char kIndices[] = "indices";
inline constexpr char kValues[] = "values";
inline constexpr char kRowSplits[] = "row_splits";

// The parameter of a request that says what happens to elements that are NaN or infinite: "refuse" or "zero".
inline constexpr char kNonFinite[] = "non_finite";

// A version as this protocol names it: a number, a label, or nothing.
struct VersionName {
  uint64_t version = 0;
  std::string label;
};
VersionName ParseVersion(const std::string& text);

struct InferenceRequest {
  v1::EncodeRequest encode;
  // The requested outputs, in the order of the request; empty: every output of the model.
  std::vector<std::string> outputs;
  std::string id;
  // If not 0, return 'features' as this many best classes of each row.
  int64_t classes = 0;
};

// Converts `request`. Moves the elements out of it without copying them, unless they are 32-bit integers. Parameters
// "k" (an integer) and "alpha" (a number) choose how many activities a row keeps, and kNonFinite what happens to
// elements that are not finite; parameters that Triton's clients set by themselves are ignored, and others are an
// error. Errors: INVALID_ARGUMENT naming what is wrong and what was expected, UNIMPLEMENTED (shared memory, sequences).
absl::StatusOr<InferenceRequest> ConvertRequest(inference::ModelInferRequest* request);

}  // namespace kwta::server
