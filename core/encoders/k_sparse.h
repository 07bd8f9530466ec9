// The k-sparse autoencoder: linear, tied weights, only the k largest activities are kept.
// Makhzani & Frey, "k-Sparse Autoencoders", ICLR 2014, section 2.2:
//   z = W'x + b,  Gamma = supp_k(z),  xhat = W z_Gamma + b',  E = |x - xhat|^2.
//
// Its bundle holds, all f32: "atoms" [units, width] (W', so that an atom is a row), "bias" [units] (b), "decoder_bias"
// [width] (b') and, if the mean is subtracted, "mean" [width].
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Its row in the registry.
const EncoderKind& KSparseKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveKSparse(v1::KSparseSpec* spec);

// The encoder of a bundle. The mean m is folded: z = W'x + (b - W'm) and xhat = W z + (b' + m).
// Errors: DATA_LOSS if tensors and description do not fit each other.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateKSparseEncoder(const ModelBundle& bundle,
                                                                    std::shared_ptr<Backend> backend);

// A learner with weights drawn from a Gaussian of init_sigma and biases of zero. `mean` is what was subtracted from the
// rows, [input_width], or empty: it matters to speed alone. REQUIRES: spec is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateKSparseLearner(const v1::KSparseSpec& spec, int64_t input_width,
                                                              uint64_t seed, std::shared_ptr<Backend> backend,
                                                              const std::vector<float>& mean = {});

}  // namespace kwta
