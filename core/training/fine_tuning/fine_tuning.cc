#include "core/training/fine_tuning/fine_tuning.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/evaluation/code_blocks.h"
#include "core/evaluation/stored_classifier.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/training/fine_tuning/fine_tuning_run.h"

namespace kwta {
namespace {

absl::Status Validate(const FineTuningOptions& options) {
  const auto is_share = [](double p) { return p >= 0 && p < 1; };
  const auto is_weight = [](double x) { return x >= 0 && std::isfinite(x); };
  const auto is_rate = [](double x) { return x > 0 && std::isfinite(x); };
  if (options.epochs < 1 || options.batch_size < 1 || !is_rate(options.learning_rate) ||
      !is_rate(options.classifier_rate) || !is_share(options.momentum) || !is_weight(options.encoder_l2) ||
      !is_weight(options.classifier_l2) || !is_share(options.input_dropout) || !is_share(options.code_dropout) ||
      !is_weight(options.adversarial_length) || options.max_shift < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "fine-tuning options: epochs ", options.epochs, ", batch_size ", options.batch_size, ", learning_rate ",
        options.learning_rate, ", classifier_rate ", options.classifier_rate, ", momentum ", options.momentum,
        ", encoder_l2 ", options.encoder_l2, ", classifier_l2 ", options.classifier_l2, ", input_dropout ",
        options.input_dropout, ", code_dropout ", options.code_dropout, ", adversarial_length ",
        options.adversarial_length, ", max_shift ", options.max_shift,
        "; expected epochs and batch_size of at least 1, rates above 0, momentum and dropout at least 0 and below 1, "
        "l2, adversarial_length and max_shift of at least 0"));
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const Dataset& data, const Encoder& encoder) {
  if (!data.labelled()) {
    return absl::InvalidArgumentError("the data have no labels to fine-tune on; name a labelled data set");
  }
  if (data.width() != encoder.input_width()) {
    return absl::InvalidArgumentError(absl::StrCat("rows of the data have width ", data.width(),
                                                   "; the model reads rows of width ", encoder.input_width()));
  }
  return absl::OkStatus();
}

absl::Status CheckClasses(const Dataset& data) {
  for (int64_t i = 1; i < data.rows(); ++i) {
    if (data.label(i) != data.label(0)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("all ", data.rows(), " rows of the data have the label ",
                                                 data.label(0), "; fine-tuning needs at least two classes"));
}

}  // namespace

absl::Status CheckCanBeTuned(const v1::ModelDescription& model) {
  if (SeparatesViews(model.preprocessing())) {
    return absl::InvalidArgumentError(
        "the model encodes views by themselves (preprocessing step separate_views); it cannot be fine-tuned");
  }
  for (int i = 0; i < LayerCount(model.encoder()); ++i) {
    const v1::EncoderSpec& layer = model.encoder().has_stack() ? model.encoder().stack().layers(i) : model.encoder();
    if (layer.has_k_sparse()) continue;
    return absl::InvalidArgumentError(absl::StrCat("layer ", i, " of the model is ", EncoderKindName(layer),
                                                   "; only k-sparse layers can be fine-tuned"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelBundle> FineTune(const ModelBundle& model, const Dataset& training,
                                     const FineTuningOptions& options, std::shared_ptr<Backend> backend,
                                     const FineTuningControl& control) {
  KWTA_RETURN_IF_ERROR(Validate(options));
  KWTA_RETURN_IF_ERROR(CheckCanBeTuned(model.description));
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, backend));
  KWTA_RETURN_IF_ERROR(CheckRows(training, *encoder));
  KWTA_RETURN_IF_ERROR(CheckClasses(training));
  FineTuningRun run(model, training, options, std::move(backend), control);
  KWTA_RETURN_IF_ERROR(run.Prepare(*encoder));
  KWTA_RETURN_IF_ERROR(run.Tune());
  return run.Finish();
}

absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend) {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, std::move(backend)));
  KWTA_RETURN_IF_ERROR(CheckRows(data, *encoder));
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
