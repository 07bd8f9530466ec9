// The classifier of a fine-tuned model, as its bundle stores it (docs/model-bundle.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backends/backend.h"
#include "core/encoders/encoder.h"
#include "core/evaluation/feature_rows.h"
#include "core/io/arrays/safetensors.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Names of the classifier's tensors.
inline constexpr char kClassifierWeights[] = "classifier.weights";
inline constexpr char kClassifierBias[] = "classifier.bias";

// The scores of the classes are weights' z + bias for a code z. Immutable and thread-safe.
class StoredClassifier {
 public:
  // Takes f32 [code width, classes] and f32 [classes]. Errors: DATA_LOSS (another type or shape, values that are not
  // finite, or fewer than two classes).
  static absl::StatusOr<StoredClassifier> Create(Tensor weights, Tensor bias);
  // Takes kClassifierWeights and kClassifierBias from a model's tensors. Errors: DATA_LOSS also if they are missing, or
  // for codes of another width.
  static absl::StatusOr<StoredClassifier> Create(const TensorMap& tensors, int64_t code_width);
  // Reads the classifier of the bundle at `directory` and no other tensors. Errors: also those of ReadModelBundle.
  static absl::StatusOr<StoredClassifier> Read(const std::string& directory);

  int64_t classes() const { return bias_.elements(); }
  const Tensor& weights() const { return weights_; }  // f32 [code width, classes]
  const Tensor& bias() const { return bias_; }        // f32 [classes]

  // Sets scores[classes()] to the scores of one code. REQUIRES: the code has the classifier's width.
  void Score(const FeatureRow& code, float* scores) const;

  // Returns the class of each row: the one with the highest score, the lowest if several have it. REQUIRES: the codes
  // have the classifier's width.
  std::vector<int32_t> Classify(const FeatureRows& codes) const;
  // Returns the number of rows whose class is not their label. REQUIRES: as above, and a label for each row.
  int64_t CountWrong(const FeatureRows& codes, absl::Span<const int32_t> labels) const;

 private:
  StoredClassifier(Tensor weights, Tensor bias) : weights_(std::move(weights)), bias_(std::move(bias)) {}

  Tensor weights_, bias_;
};

// Errors: INVALID_ARGUMENT if the data have no labels, or rows of another width than the encoder reads.
absl::Status CheckLabelledRows(const Dataset& data, const Encoder& encoder);

// Returns the fraction of labelled rows that the classifier of a fine-tuned model gets wrong. Errors: those of
// CheckLabelledRows, and DATA_LOSS (the model has no classifier or does not load).
absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend);

}  // namespace kwta
