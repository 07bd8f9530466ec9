// The k-sparse autoencoder: linear, with tied weights; it keeps only the k largest activities.
// Makhzani & Frey, "k-Sparse Autoencoders", ICLR 2014, section 2.2:
//   z = W'x + b,  Gamma = supp_k(z),  xhat = W z_Gamma + b',  E = |x - xhat|^2.
//
// Its bundle holds f32 tensors: "atoms" [units, width] (W', so that an atom is a row), "bias" [units] (b),
// "decoder_bias" [width] (b') and, if the mean is subtracted, "mean" [width].
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& KSparseKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveKSparse(v1::KSparseSpec* spec);

// Makes the encoder of a bundle. Folds the mean m: z = W'x + (b - W'm) and xhat = W z + (b' + m). Errors: DATA_LOSS if
// tensors and description do not match.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateKSparseEncoder(const ModelBundle& bundle,
                                                                    std::shared_ptr<Backend> backend);

// Makes a learner with weights from a Gaussian of init_sigma and zero biases. `mean` is the mean subtracted from the
// rows, [input_width], or empty; it affects only speed. REQUIRES: spec is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateKSparseLearner(const v1::KSparseSpec& spec, int64_t input_width,
                                                              uint64_t seed, std::shared_ptr<Backend> backend,
                                                              const std::vector<float>& mean = {});

}  // namespace kwta
