// The winner-take-all convolutional autoencoder: ReLU maps of which, while training, each keeps its largest activity,
// and an untied linear decoder. To encode, sparsity is off and the maps are max-pooled.
// Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", sections 2 and 2.1:
//   z_i = max(0, P_i * x + b_i), of which the largest of each map stays,  xhat = sum W_i * z_i + b'.
//
// Its bundle holds, all f32: "filters" [maps, channels, size, size] (P; in position, not turned around: element dy, dx
// is multiplied with the pixel dy rows below and dx columns right of the patch's first), "bias" [maps] (b),
// "decoder_filters" [maps, channels, decoder size, decoder size] (W, likewise; not if the weights are tied),
// "decoder_bias" [channels] (b'), and what preprocessing stores. A dense code is [maps, pooled height, pooled width].
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/winner_args.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Its row in the registry.
const EncoderKind& WinnerTakeAllKind();

// Fills in defaults and checks ranges; those that depend on the image only if `input` is set.
// Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveWinnerTakeAll(v1::WinnerTakeAllSpec* spec);

// Completes a resolved spec for rows of `row_shape`: [height, width], [channels, height, width], or any shape if
// `input` says what image a row is. Errors: INVALID_ARGUMENT (rows that are no image or do not fit `input`; filters,
// pooling or winners that do not fit the image).
absl::Status FitWinnerTakeAll(v1::WinnerTakeAllSpec* spec, const Shape& row_shape);

// What the operations are given. REQUIRES of all: spec is fitted.
ImageBatch ImagesOf(const v1::WinnerTakeAllSpec& spec, int64_t rows);
Pooling PoolingOf(const v1::WinnerTakeAllSpec& spec);
// Shape of a dense code, [maps, pooled height, pooled width].
Shape PooledShape(const v1::WinnerTakeAllSpec& spec);
// Which activities survive while training: scope and winners of ConvWinners, and the entries that it gives a row.
struct TrainingWinners {
  WinnerScope scope;
  int64_t winners;
  int64_t entries;
};
TrainingWinners WinnersOf(const v1::WinnerTakeAllSpec& spec);
// Shapes of the encoder's and the decoder's filters.
Shape FilterShape(const v1::WinnerTakeAllSpec& spec);
Shape DecoderFilterShape(const v1::WinnerTakeAllSpec& spec);

// The encoder of a bundle. Errors: DATA_LOSS if tensors and description do not fit each other.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateWinnerTakeAllEncoder(const ModelBundle& bundle,
                                                                          std::shared_ptr<Backend> backend);

// A learner with filters drawn from Gaussians and biases of zero. Its units are the maps. REQUIRES: spec is fitted.
absl::StatusOr<std::unique_ptr<Learner>> CreateWinnerTakeAllLearner(const v1::WinnerTakeAllSpec& spec, uint64_t seed,
                                                                    v1::Optimiser optimiser,
                                                                    std::shared_ptr<Backend> backend);

}  // namespace kwta
