#include "core/evaluation/stored_classifier.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/code_blocks.h"

namespace kwta {
namespace {

constexpr char kPrefix[] = "classifier.";

absl::StatusOr<Tensor> Find(const TensorMap& tensors, const char* name) {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second.Clone();
  return absl::DataLossError(absl::StrCat("the model has no tensor \"", name, "\"; fine-tune it first"));
}

bool IsFinite(const Tensor& tensor) {
  return tensor.dtype() == DType::kF32 && !FindNonFinite(tensor.rows()).has_value();
}

}  // namespace

absl::StatusOr<StoredClassifier> StoredClassifier::Create(Tensor weights, Tensor bias) {
  const bool shaped = weights.shape().size() == 2 && bias.shape() == Shape{weights.shape()[1]};
  if (!shaped || bias.elements() < 2 || !IsFinite(weights) || !IsFinite(bias)) {
    return absl::DataLossError(absl::StrCat("a classifier has weights ", DTypeName(weights.dtype()), " ",
                                            ShapeString(weights.shape()), " and biases ", DTypeName(bias.dtype()), " ",
                                            ShapeString(bias.shape()),
                                            "; expected finite f32 [code width, classes] and [classes], 2 or more"));
  }
  return StoredClassifier(std::move(weights), std::move(bias));
}

absl::StatusOr<StoredClassifier> StoredClassifier::Create(const TensorMap& tensors, int64_t code_width) {
  KWTA_ASSIGN_OR_RETURN(Tensor weights, Find(tensors, kClassifierWeights));
  KWTA_ASSIGN_OR_RETURN(Tensor bias, Find(tensors, kClassifierBias));
  KWTA_ASSIGN_OR_RETURN(StoredClassifier classifier, Create(std::move(weights), std::move(bias)));
  if (classifier.weights_.shape()[0] != code_width) {
    return absl::DataLossError(absl::StrCat("the model's classifier is for codes of width ",
                                            classifier.weights_.shape()[0], ", but its codes have width ", code_width));
  }
  return classifier;
}

absl::StatusOr<StoredClassifier> StoredClassifier::Read(const std::string& directory) {
  KWTA_ASSIGN_OR_RETURN(const ModelBundle model, ReadModelBundle(directory, kPrefix));
  return Create(model.tensors, model.description.code_width());
}

void StoredClassifier::Score(const FeatureRow& code, float* scores) const {
  const float* weights = weights_.as<float>();
  std::copy_n(bias_.as<float>(), classes(), scores);
  for (int64_t e = 0; e < code.entries; ++e) {
    const float* unit = weights + code.indices[e] * classes();
    for (int64_t c = 0; c < classes(); ++c) scores[c] += code.values[e] * unit[c];
  }
}

std::vector<int32_t> StoredClassifier::Classify(const FeatureRows& codes) const {
  std::vector<float> scores(classes());
  FeatureScratch scratch;
  std::vector<int32_t> chosen;
  chosen.reserve(static_cast<size_t>(codes.rows()));
  for (int64_t i = 0; i < codes.rows(); ++i) {
    Score(codes.Row(i, &scratch), scores.data());
    chosen.push_back(static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  }
  return chosen;
}

int64_t StoredClassifier::CountWrong(const FeatureRows& codes, absl::Span<const int32_t> labels) const {
  const std::vector<int32_t> chosen = Classify(codes);
  int64_t wrong = 0;
  for (size_t i = 0; i < chosen.size(); ++i) wrong += chosen[i] != labels[i];
  return wrong;
}

absl::Status CheckLabelledRows(const Dataset& data, const Encoder& encoder) {
  if (!data.labelled()) {
    return absl::InvalidArgumentError("the data have no labels to learn or to judge by; name a labelled data set");
  }
  if (data.width() != encoder.input_width()) {
    return absl::InvalidArgumentError(absl::StrCat("rows of the data have width ", data.width(),
                                                   "; the model reads rows of width ", encoder.input_width()));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend) {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, std::move(backend)));
  KWTA_RETURN_IF_ERROR(CheckLabelledRows(data, *encoder));
  KWTA_ASSIGN_OR_RETURN(const StoredClassifier classifier,
                        StoredClassifier::Create(model.tensors, encoder->code_width()));
  int64_t wrong = 0;
  const std::vector<int32_t> labels = data.Labels();
  KWTA_RETURN_IF_ERROR(VisitCodes(data, *encoder, [&](const SparseCodes& codes, int64_t first) {
    wrong += classifier.CountWrong(CodeFeatures(codes), absl::MakeConstSpan(labels).subspan(first, codes.rows()));
  }));
  return static_cast<double>(wrong) / static_cast<double>(data.rows());
}

}  // namespace kwta
