// Layers under a softmax classifier; all follow the gradient of the classifier's loss.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/rng.h"
#include "core/io/model_bundle.h"
#include "core/training/fine_tuning/classifier.h"
#include "core/training/fine_tuning/tuned_layer.h"

namespace kwta {

// Not thread-safe.
class TunedNetwork {
 public:
  // Errors: DATA_LOSS. REQUIRES: CheckCanBeTuned accepts the model, and an encoder was created from it.
  static absl::StatusOr<TunedNetwork> Create(const ModelBundle& model, const std::shared_ptr<Backend>& backend);

  int layers() const { return static_cast<int>(layers_.size()); }
  void SetClassifier(Classifier classifier) { classifier_ = std::move(classifier); }

  struct StepOptions {
    int first_layer = 0;  // this layer, those above it and the classifier are trained
    TunedLayer::Rates encoder;
    Classifier::Rates classifier;
    // Probability that an activity of a code is dropped. Not set: what each layer was trained with.
    std::optional<double> code_dropout;
  };
  // Makes one update on x[rows, width], which is preprocessed and has the mean subtracted. `rng` decides which
  // activities are dropped. Errors: FAILED_PRECONDITION if training has diverged. REQUIRES: the network has a
  // classifier.
  absl::StatusOr<Classifier::Outcome> Step(const float* x, const int32_t* labels, int64_t rows,
                                           const StepOptions& options, Rng& rng);

  // Adds to each row of x[rows, width] a vector of this length along the gradient of the row's loss. Drops no
  // activities for that gradient. REQUIRES: the network has a classifier.
  absl::Status AddAdversarial(float length, const int32_t* labels, int64_t rows, float* x);

  // Writes atoms, biases and classifier into `model`, the model that the network was created from.
  absl::Status Export(ModelBundle* model) const;

  // Everything that the next step depends on.
  absl::StatusOr<TensorMap> Checkpoint() const;
  // Errors: DATA_LOSS if a tensor is missing or of the wrong shape.
  absl::Status Restore(const TensorMap& state);

 private:
  // Codes of x, layer by layer, with activities dropped: see StepOptions.
  absl::Status Forward(const float* x, int64_t rows, std::optional<double> code_dropout, Rng* rng);
  // Computes the gradient of layer i - 1's values from that of layer i's pre-activations.
  absl::Status GradientBelow(int i);
  // Turns the gradient with respect to the values of layer i into that with respect to its pre-activations.
  void MultiplyBySlopes(int i);

  std::vector<TunedLayer> layers_;  // lowest first
  std::optional<Classifier> classifier_;

  // The current batch, one element for each layer.
  std::vector<CodeBatch> codes_;
  std::vector<std::vector<float>> gradients_;  // [rows, k]: with respect to the values, then to the pre-activations
  std::vector<float> dense_, below_;           // scratch
};

}  // namespace kwta
