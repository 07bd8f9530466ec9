// The winner-take-all convolutional autoencoder: ReLU maps and an untied linear decoder. In training, each map keeps
// only its largest activity. Encoding keeps all activities and max-pools the maps.
// Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", sections 2 and 2.1:
//   z_i = max(0, P_i * x + b_i), of which the largest of each map stays,  xhat = sum W_i * z_i + b'.
//
// Its bundle holds f32 tensors: "filters" [maps, channels, size, size] (P, not rotated: element dy, dx multiplies the
// pixel dy rows below and dx columns right of the patch's first), "bias" [maps] (b), "decoder_filters" [maps, channels,
// decoder size, decoder size] (W, not rotated either; absent if the weights are tied), "decoder_bias" [channels] (b'),
// and the tensors of the preprocessing. A dense code is [maps, pooled height, pooled width].
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/winner_args.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& WinnerTakeAllKind();

// Fills in defaults and checks ranges. Checks ranges that depend on the image only if `input` is set. Errors:
// INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveWinnerTakeAll(v1::WinnerTakeAllSpec* spec);

// Completes a resolved spec for rows of `row_shape`: [height, width], [channels, height, width], or any shape if
// `input` defines the image in a row. Errors: INVALID_ARGUMENT (rows that are no image or do not fit `input`; filters,
// pooling or winners that do not fit the image).
absl::Status FitWinnerTakeAll(v1::WinnerTakeAllSpec* spec, const Shape& row_shape);

// Arguments of the backend's operations. REQUIRES of all: spec is fitted.
ImageBatch ImagesOf(const v1::WinnerTakeAllSpec& spec, int64_t rows);
Pooling PoolingOf(const v1::WinnerTakeAllSpec& spec);
// The shape of a dense code, [maps, pooled height, pooled width].
Shape PooledShape(const v1::WinnerTakeAllSpec& spec);
// Which activities survive in training: scope and winners for ConvWinners, and how many entries it returns per row.
struct TrainingWinners {
  WinnerScope scope;
  int64_t winners;
  int64_t entries;
};
TrainingWinners WinnersOf(const v1::WinnerTakeAllSpec& spec);
// The shapes of the encoder's and the decoder's filters.
Shape FilterShape(const v1::WinnerTakeAllSpec& spec);
Shape DecoderFilterShape(const v1::WinnerTakeAllSpec& spec);

// Makes the encoder of a bundle. Errors: DATA_LOSS if tensors and description do not match.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateWinnerTakeAllEncoder(const ModelBundle& bundle,
                                                                          std::shared_ptr<Backend> backend);

// Makes a learner with filters from Gaussians and zero biases. Its units are the maps. REQUIRES: spec is fitted.
absl::StatusOr<std::unique_ptr<Learner>> CreateWinnerTakeAllLearner(const v1::WinnerTakeAllSpec& spec, uint64_t seed,
                                                                    v1::Optimiser optimiser,
                                                                    std::shared_ptr<Backend> backend);

}  // namespace kwta
