// The classifier that a fine-tuned model was tuned with, as its bundle holds it (docs/model-bundle.md).
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

// Names of its tensors.
inline constexpr char kClassifierWeights[] = "classifier.weights";
inline constexpr char kClassifierBias[] = "classifier.bias";

// Scores of the classes are weights' z + bias for a code z. Immutable and thread-safe.
class StoredClassifier {
 public:
  // f32 [code width, classes] and f32 [classes]. Errors: DATA_LOSS (of another type or shape, not finite, or of fewer
  // than two classes).
  static absl::StatusOr<StoredClassifier> Create(Tensor weights, Tensor bias);
  // Of kClassifierWeights and kClassifierBias among a model's tensors. Errors: DATA_LOSS also if there are none, or for
  // codes of another width.
  static absl::StatusOr<StoredClassifier> Create(const TensorMap& tensors, int64_t code_width);
  // Of the bundle at `directory`, whose other tensors are not read. Errors also: as ReadModelBundle.
  static absl::StatusOr<StoredClassifier> Read(const std::string& directory);

  int64_t classes() const { return bias_.elements(); }
  const Tensor& weights() const { return weights_; }  // f32 [code width, classes]
  const Tensor& bias() const { return bias_; }        // f32 [classes]

  // Sets scores[classes()] to those of one code. REQUIRES: it has the width that the classifier was made for.
  void Score(const FeatureRow& code, float* scores) const;

  // The class of each row: the one with the highest score, the lowest of several. REQUIRES: codes of the width that it
  // was made for.
  std::vector<int32_t> Classify(const FeatureRows& codes) const;
  // Rows whose class is not their label. REQUIRES: as above, and a label for each row.
  int64_t CountWrong(const FeatureRows& codes, absl::Span<const int32_t> labels) const;

 private:
  StoredClassifier(Tensor weights, Tensor bias) : weights_(std::move(weights)), bias_(std::move(bias)) {}

  Tensor weights_, bias_;
};

// Errors: INVALID_ARGUMENT if the data have no labels, or rows of another width than the encoder reads.
absl::Status CheckLabelledRows(const Dataset& data, const Encoder& encoder);

// Fraction of labelled rows that the classifier of a fine-tuned model gets wrong. Errors: those of CheckLabelledRows,
// and DATA_LOSS (a model without a classifier, or that does not load).
absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend);

}  // namespace kwta
