// Discriminative fine-tuning of k-sparse encoders: back-propagation of a classifier's error into weights that were
// learnt without labels. "k-Sparse Autoencoders", section 4.5 (one layer) and section 4.6 (several):
//   1. a softmax classifier is trained on the codes of the top layer, which are fixed;
//   2. the top layer and the classifier are trained together, then with the layer below, and so on to the lowest.
// Every layer keeps its alpha k largest activities throughout, and the gradient flows through these alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/evaluation/linear_probe.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"

namespace kwta {

// The objective is the mean cross-entropy of a batch + encoder_l2 / 2 |atoms|^2 over the atoms active in it +
// classifier_l2 / 2 |weights|^2 (the weights on codes of a root mean square length of 1; biases are free).
struct FineTuningOptions {
  // Passes over the rows, for each layer that is trained: a step of the paper has as many. Range >= 1.
  int epochs = 60;
  // Rows an update. Range >= 1.
  int batch_size = 100;
  // Of stochastic gradient descent with momentum; falls linearly to 0 over each step. Range > 0.
  double learning_rate = 0.02;
  // Of the classifier in the same updates. Range > 0.
  double classifier_rate = 0.1;
  double momentum = 0.9;
  double encoder_l2 = 0;
  double classifier_l2 = 1e-5;
  // What the paper does not have, off by default. Each training pass
  double input_dropout = 0;  // sets a component of the (mean-subtracted) input to 0 with this probability,
  double code_dropout = 0;   // drops an activity of each code with this probability and scales the others up to match,
  // moves the (mean-subtracted) input by this length where its loss grows fastest (adversarial training; Goodfellow,
  // Shlens & Szegedy, "Explaining and Harnessing Adversarial Examples", 2015, with the direction's own length),
  double adversarial_length = 0;
  // moves the image by up to so many pixels in each direction. Range 0 .. the image's smaller side - 1.
  int max_shift = 0;
  // Of the order of rows and of whatever is random. The result is a function of the arguments, whatever the threads.
  uint64_t seed = 1;
  // The classifier of the first step.
  LinearProbeOptions probe;
};

struct FineTuningProgress {
  int step = 0, steps = 0;          // 1: the classifier by itself; then 2 .. steps, each with one more layer
  int epochs_done = 0, epochs = 0;  // of the step
  // Of all steps together.
  int all_epochs_done = 0, all_epochs = 0;
  int64_t rows_done = 0;
  double fraction = 0;       // of all rows of all epochs
  double seconds = 0;        // spent, by all runs that a checkpoint joins
  double learning_rate = 0;  // at present; in step 1 not known
  // Over the epoch under way, or the one that was completed just now; in step 1 not known.
  double loss = 0;             // mean cross-entropy
  double training_error = -1;  // fraction of the rows classified wrongly, as they went by
  // Fraction of the watched rows classified wrongly; -1 if none are watched.
  double watched_error = -1;
};

struct FineTuningControl {
  // Called after each epoch, and about every report_seconds within those of the steps from 2 on; may be empty.
  std::function<void(const FineTuningProgress&)> report;
  double report_seconds = 0.5;
  // Rows whose error is reported every watch_epochs epochs, and after the last. Nothing is decided by them. May be
  // null.
  const Dataset* watched = nullptr;
  int watch_epochs = 1;
  // Checkpoints are kept here after every checkpoint_epochs epochs (at least 1); empty: none are written or read.
  std::string checkpoint_directory;
  int checkpoint_epochs = 5;
  // Once this is true it stops after the current update (the current epoch of step 1, which has no checkpoints), having
  // written a checkpoint, with CANCELLED. May be null.
  const std::atomic<bool>* stop = nullptr;
};

// Whether a model is k-sparse or a stack of k-sparse layers, of whole rows. Errors: INVALID_ARGUMENT.
absl::Status CheckCanBeTuned(const v1::ModelDescription& model);

// Fine-tunes `model`, k-sparse or a stack of k-sparse layers, on labelled rows. Gives the model with new atoms and
// biases, and the classifier: "classifier.weights" [code width, classes] and "classifier.bias" [classes], which read
// the code that Encode gives by default. Decoders stay as they were, so reconstructions no longer mean much.
// The description is that of `model`. Errors: CANCELLED (stopped), INVALID_ARGUMENT (no labels or only one, a model
// that CheckCanBeTuned refuses, options out of range, rows of another width), FAILED_PRECONDITION (diverged), DATA_LOSS
// (a model that does not load), and what the file system gives for checkpoints.
absl::StatusOr<ModelBundle> FineTune(const ModelBundle& model, const Dataset& training,
                                     const FineTuningOptions& options, std::shared_ptr<Backend> backend,
                                     const FineTuningControl& control = {});

// Fraction of labelled rows that the classifier of a fine-tuned model gets wrong. Errors: INVALID_ARGUMENT (no labels,
// rows of another width), DATA_LOSS (a model without a classifier, or that does not load).
absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend);

}  // namespace kwta
