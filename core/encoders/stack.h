// Encoders on top of each other: the first reads the input, each other one the codes of the layer below.
// "k-Sparse Autoencoders", section 4.6: "We first train a shallow k-sparse autoencoder and obtain the hidden codes. We
// then fix the features and train another k-sparse autoencoder on top of them".
//
// The layers below the top keep as many activities as they do by themselves (alpha k of a k-sparse layer); what the
// caller of Encode asks for holds for the top layer. To decode, each layer reconstructs the codes of the one below, all
// entries of which the next decoder takes.
//
// Its bundle holds the tensors of layer i (0 is the lowest) under "layers.<i>." and, without a prefix, the tensors of
// the preprocessing, which is that of layer 0.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Its row in the registry. To resolve, to fit or to train it is always INVALID_ARGUMENT, saying how a stack is trained:
// one job a layer.
const EncoderKind& StackKind();

// The encoder of a bundle. Errors: DATA_LOSS if the layers do not fit each other, or their tensors not their
// descriptions.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateStackEncoder(const ModelBundle& bundle,
                                                                  std::shared_ptr<Backend> backend);

// The bundle of `layer`, an encoder of the codes of `base`, put on `base`, which may be a stack itself: the layers of
// both, the preprocessing of the base, everything else of the layer. It is complete without either.
// REQUIRES: layer is no stack.
ModelBundle PutOnBase(ModelBundle base, ModelBundle layer);

// The inverse: layer i of a stack as a bundle of its own, or a whole model that is no stack as its only layer.
// Errors: DATA_LOSS if there is a stack in the stack. REQUIRES: 0 <= i < the number of layers.
absl::StatusOr<ModelBundle> LayerOfStack(const ModelBundle& bundle, int i);

// Layers of a model: of one that is no stack, 1.
int LayerCount(const v1::EncoderSpec& spec);
// The spec of layer i of a stack, or of a whole model that is no stack as its only layer. REQUIRES: 0 <= i <
// LayerCount.
const v1::EncoderSpec& LayerSpec(const v1::EncoderSpec& spec, int i);

}  // namespace kwta
