// Encoders with one matrix: h = s(W x + b), and y = W'h + b' or its sigmoid to decode. Several kinds share this form,
// and differ in how they learn it.
//
// A bundle holds f32 tensors: "atoms" [units, width] (W), "bias" [units] (b) and "decoder_bias" [width] (b'), besides
// those of the preprocessing. ReLU's codes are sparse, with as many entries in a row as units are above zero. All
// others are dense.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/backends/activation.h"
#include "core/backends/corruption.h"
#include "core/encoders/encoder.h"

namespace kwta {

struct TiedEncoderForm {
  const char* kind = "";  // for messages: "a regularised autoencoder"
  int64_t units = 0;
  Activation activation = Activation::kReLU;
  bool sigmoid_output = false;  // y = sigmoid(W'h + b')
  // What training did to rows and activities before it measured its error: Encoder::ReconstructAsTrained does it too.
  Corruption corruption;
  Dropout dropout;
};

// Makes the encoder of a bundle. Folds the mean m: W x + (b - W m), and W'h + (b' + m). Errors: DATA_LOSS if tensors
// and description do not match, or a mean comes with a sigmoid output.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateTiedEncoder(const TiedEncoderForm& form, const ModelBundle& bundle,
                                                                 std::shared_ptr<Backend> backend);

// The backends' name of an activation. REQUIRES: it is specified.
Activation ActivationOf(v1::Activation activation);

// Turns the error of a spec that a bundle holds into DATA_LOSS. OK stays.
absl::Status InDescription(const absl::Status& status);

// Errors: INVALID_ARGUMENT if an element of x[rows, width] is outside 0 .. 1. `why` says what needs it: "an RBM's
// visible units are probabilities".
absl::Status CheckInUnitInterval(const float* x, int64_t rows, int64_t width, absl::string_view why);

}  // namespace kwta
