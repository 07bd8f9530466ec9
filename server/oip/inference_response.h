// Codes as tensors of the Open Inference Protocol.
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

// One output tensor: features FP32 [n, F]; of sparse codes indices INT32 and values FP32 [n, k], ascending in a row; of
// dense codes, whose rows have different numbers of non-zeros, indices and values [non-zeros] and row_splits INT64
// [n + 1], the first 0.
struct OutputTensor {
  const char* name;
  const char* datatype;
  inference::DataType data_type;
  std::vector<int64_t> shape;  // of a row; -1 varies
};
// The outputs that a model with this encoder has.
std::vector<OutputTensor> OutputsOf(const Encoder& encoder);

// UNIMPLEMENTED: classes were asked for of a model that was not fine-tuned.
absl::Status NoClasses(const std::string& model, uint64_t version);

// The answer, with every tensor in raw_output_contents. Where classes are asked for, 'features' is BYTES [n, classes]:
// "score:class" of the best classes of each row, the best first, the lowest of equal ones first; a score is that of the
// model's classifier. Errors: INVALID_ARGUMENT (row_splits of a model that has none, or an answer of more than
// max_bytes), FAILED_PRECONDITION (rows of different k), UNIMPLEMENTED (classes of a model that has none).
absl::StatusOr<inference::ModelInferResponse> ConvertResponse(const InferenceRequest& request, const EncodedRows& rows,
                                                              int64_t max_bytes);

}  // namespace kwta::server
