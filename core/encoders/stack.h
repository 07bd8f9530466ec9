// A stack of encoders: the first reads the input, and each other one reads the codes of the layer below. "k-Sparse
// Autoencoders", section 4.6: "We first train a shallow k-sparse autoencoder and obtain the hidden codes. We then fix
// the features and train another k-sparse autoencoder on top of them".
//
// The layers below the top keep their default number of activities (alpha k of a k-sparse layer). The options of Encode
// apply to the top layer. To decode, each layer reconstructs the codes of the layer below, and the next decoder takes
// all their entries.
//
// Its bundle holds the tensors of layer i (0 is the lowest) under "layers.<i>.". The tensors of the preprocessing,
// which belongs to layer 0, have no prefix.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns its row in the registry. To resolve, fit or train a stack is always INVALID_ARGUMENT. The message says how to
// train one: one job per layer.
const EncoderKind& StackKind();

// Makes the encoder of a bundle. Errors: DATA_LOSS if the layers do not fit each other, or their tensors do not match
// their descriptions.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateStackEncoder(const ModelBundle& bundle,
                                                                  std::shared_ptr<Backend> backend);

// Puts `layer`, an encoder of the codes of `base`, on top of `base`, which may be a stack itself. The bundle has the
// layers of both, the preprocessing of the base, and everything else of the layer. It is complete without either.
// REQUIRES: layer is not a stack.
ModelBundle PutOnBase(ModelBundle base, ModelBundle layer);

// The inverse: returns layer i of a stack as a bundle of its own. A model that is not a stack is its own only layer.
// Errors: DATA_LOSS if there is a stack in the stack. REQUIRES: 0 <= i < the number of layers.
absl::StatusOr<ModelBundle> LayerOfStack(const ModelBundle& bundle, int i);

// Returns the number of layers of a model; 1 if it is not a stack.
int LayerCount(const v1::EncoderSpec& spec);
// Returns the spec of layer i. A model that is not a stack is its own only layer. REQUIRES: 0 <= i < LayerCount.
const v1::EncoderSpec& LayerSpec(const v1::EncoderSpec& spec, int i);

}  // namespace kwta
