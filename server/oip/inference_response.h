// Converts codes to tensors of the Open Inference Protocol.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "inference/open_inference.pb.h"
#include "server/oip/inference_request.h"
#include "server/services/encode_handler.h"

namespace kwta::server {

// The parameter of an answer that counts the elements of the input that were not finite and counted as zero; absent if
// there were none.
inline constexpr char kZeroedElements[] = "zeroed_elements";

// One output tensor. features: FP32 [n, F]. Sparse codes have indices INT32 and values FP32 [n, k], ascending in a row.
// Dense codes, whose rows differ in their numbers of non-zeros, have indices and values [non-zeros] and row_splits
// INT64 [n + 1], the first of which is 0.
struct OutputTensor {
  const char* name;
  const char* datatype;
  inference::DataType data_type;
  std::vector<int64_t> shape;  // shape of a row; -1 varies
};
// Returns the outputs of a model with this encoder.
std::vector<OutputTensor> OutputsOf(const Encoder& encoder);

// Returns UNIMPLEMENTED: the request wants classes from a model that was not fine-tuned.
absl::Status NoClasses(const std::string& model, uint64_t version);

// Builds the answer, with every tensor in raw_output_contents. If the request wants classes, 'features' is BYTES
// [n, classes]: "score:class" for the best classes of each row, the best first, the lowest of equal ones first. The
// model's classifier computes the scores. Errors: INVALID_ARGUMENT (row_splits of a model that has none, or an answer
// of more than max_bytes), FAILED_PRECONDITION (rows of different k), UNIMPLEMENTED (classes of a model that has none).
absl::StatusOr<inference::ModelInferResponse> ConvertResponse(const InferenceRequest& request, const EncodedRows& rows,
                                                              int64_t max_bytes);

}  // namespace kwta::server
