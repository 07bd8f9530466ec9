// Discriminative fine-tuning of k-sparse encoders: back-propagation of a classifier's error into weights that were
// learnt without labels. "k-Sparse Autoencoders", section 4.5 (one layer) and section 4.6 (several):
//   1. a softmax classifier is trained on the codes of the top layer, which are fixed;
//   2. the top layer and the classifier are trained together, then with the layer below, and so on to the lowest.
// Every layer keeps its alpha k largest activities throughout, and the gradient flows through these alone.
// FineTuningSpec (proto/kwta/v1/encoder.proto) says what is minimised, and what there is beside the paper.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/trainee.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Fine-tunes `model` on labelled rows as spec.fine_tuning and spec.training say. The finished model has other atoms and
// biases, and the classifier: "classifier.weights" [code width, classes] and "classifier.bias" [classes], which read
// the code that Encode returns by default. Decoders stay as they were, so reconstructions no longer mean much. Step 1
// is what Begin does; the loop's epochs are those of step 2 and on, training.epochs of each. Errors: INVALID_ARGUMENT
// (no labels or only one, a model that CheckCanBeTuned refuses, rows of another width, a batch too large for the
// model), DATA_LOSS (a model that does not load). REQUIRES: spec is resolved and has fine_tuning; spec and data outlive
// the trainee.
absl::StatusOr<std::unique_ptr<Trainee>> CreateFineTuningTrainee(const v1::JobSpec& spec, ModelBundle model,
                                                                 const Dataset& data, std::shared_ptr<Backend> backend);

}  // namespace kwta
