// Discriminative fine-tuning: it back-propagates a classifier's error into weights that were
// learnt without labels. "k-Sparse Autoencoders", section 4.5 (one layer) and section 4.6 (several):
//   1. a softmax classifier is trained on the codes of the top layer, which are fixed;
//   2. the top layer and the classifier are trained together, then with the layer below, and so on to the lowest.
// A k-sparse layer keeps its alpha k largest activities throughout, and the gradient flows through these alone. Dropout
// and masking noise of a layer's own training go on unless the spec says otherwise.
// FineTuningSpec (proto/kwta/v1/encoder.proto) states the objective and the additions to the paper.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/trainee.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fine-tunes `model` on labelled rows according to spec.fine_tuning and spec.training. The finished model has new atoms
// and biases, and the classifier: "classifier.weights" [code width, classes] and "classifier.bias" [classes]. The
// classifier reads the code that Encode returns by default. Decoders do not change, so reconstructions no longer mean
// much. Begin performs step 1; the loop runs step 2 and those that follow, training.epochs each. Errors:
// INVALID_ARGUMENT (no labels or only one, a model that CheckCanBeTuned refuses, rows of another width, a batch too
// large for the model), DATA_LOSS (a model that does not load). REQUIRES: spec is resolved and has fine_tuning; spec
// and data outlive the trainee.
absl::StatusOr<std::unique_ptr<Trainee>> CreateFineTuningTrainee(const v1::JobSpec& spec, ModelBundle model,
                                                                 const Dataset& data, std::shared_ptr<Backend> backend);

}  // namespace kwta
