#include "core/evaluation/fine_tuning.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/fine_tuning_checkpoint.h"
#include "core/evaluation/tuned_network.h"
#include "core/evaluation/tuning_rows.h"

namespace kwta {
namespace {

constexpr int64_t kEncodedRows = 512;  // encoded at a time

// Streams of the seed: an epoch's order of rows, and what a batch of it draws.
uint64_t OrderStream(int step, int epoch) { return (static_cast<uint64_t>(step) << 32) + epoch; }
uint64_t BatchStream(int step, int64_t update) {
  return (uint64_t{1} << 63) + (static_cast<uint64_t>(step) << 48) + static_cast<uint64_t>(update);
}

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

std::vector<int32_t> Labels(const Dataset& data) {
  std::vector<int32_t> labels(data.rows());
  for (int64_t i = 0; i < data.rows(); ++i) labels[i] = data.label(i);
  return labels;
}

// Calls visit(codes, first) with the default codes of consecutive blocks of rows, the first of which is row `first`.
template <typename Visit>
absl::Status VisitCodes(const Dataset& data, const Encoder& encoder, Visit visit) {
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder.ResolveK({}));
  std::vector<uint32_t> which(kEncodedRows);
  std::vector<char> stored(kEncodedRows * data.width() * DTypeSize(data.dtype()));
  SparseCodes codes;
  for (int64_t begin = 0; begin < data.rows(); begin += kEncodedRows) {
    const int64_t count = std::min(kEncodedRows, data.rows() - begin);
    std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
    data.Gather(which.data(), count, stored.data());
    KWTA_RETURN_IF_ERROR(encoder.Encode({data.dtype(), stored.data(), count, data.width()}, k, &codes));
    visit(codes, begin);
  }
  return absl::OkStatus();
}

// One call of FineTune.
class Run {
 public:
  Run(const ModelBundle& model, const Dataset& data, const FineTuningOptions& options, std::shared_ptr<Backend> backend,
      const FineTuningControl& control)
      : model_(model),
        data_(data),
        options_(options),
        backend_(std::move(backend)),
        control_(control),
        labels_(Labels(data)),
        batches_(DivideUp(data.rows(), options.batch_size)) {}

  absl::Status Prepare();
  absl::Status Tune();
  absl::StatusOr<ModelBundle> Finish() const;

 private:
  absl::StatusOr<Classifier> FitClassifier() const;
  absl::Status Epoch(FineTuningProgress* progress);
  absl::Status Report(FineTuningProgress progress) const;
  absl::Status WriteCheckpoint() const;
  bool CheckpointsAreOn() const { return !control_.checkpoint_directory.empty(); }

  const ModelBundle& model_;
  const Dataset& data_;
  const FineTuningOptions& options_;
  const std::shared_ptr<Backend> backend_;
  const FineTuningControl& control_;
  const std::vector<int32_t> labels_;
  const int64_t batches_;  // of an epoch
  std::optional<TunedNetwork> network_;
  std::optional<TuningRows> rows_;
  std::string fingerprint_;
  FineTuningPlace place_;
};

absl::Status Run::Prepare() {
  KWTA_ASSIGN_OR_RETURN(network_, TunedNetwork::Create(model_, backend_));
  KWTA_ASSIGN_OR_RETURN(rows_, TuningRows::Create(model_, data_, options_.input_dropout, options_.max_shift));
  const int classes = 1 + *std::max_element(labels_.begin(), labels_.end());
  if (CheckpointsAreOn()) {
    fingerprint_ = FineTuningFingerprint(model_, data_, options_);
    KWTA_ASSIGN_OR_RETURN(std::optional<FineTuningCheckpoint> saved,
                          LoadFineTuningCheckpoint(control_.checkpoint_directory, fingerprint_));
    if (saved.has_value()) {
      network_->SetClassifier(Classifier(model_.description.code_width(), classes, 1));
      absl::Status restored = network_->Restore(saved->network);
      if (restored.ok()) {
        place_ = saved->place;
        return absl::OkStatus();
      }
      if (!absl::IsDataLoss(restored)) return restored;
      // A damaged checkpoint only costs time; the network may have taken a part of it.
      KWTA_ASSIGN_OR_RETURN(network_, TunedNetwork::Create(model_, backend_));
    }
  }
  KWTA_ASSIGN_OR_RETURN(Classifier classifier, FitClassifier());
  network_->SetClassifier(std::move(classifier));
  return absl::OkStatus();
}

// Step 1: on codes that are fixed.
absl::StatusOr<Classifier> Run::FitClassifier() const {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model_, backend_));
  SparseCodes codes;
  codes.units = encoder->code_width();
  KWTA_RETURN_IF_ERROR(VisitCodes(
      data_, *encoder, [&](const SparseCodes& block, int64_t) { codes.AppendRows(block, 0, block.rows()); }));
  const CodeFeatures features(codes);
  std::vector<uint32_t> all(data_.rows());
  std::iota(all.begin(), all.end(), 0u);
  const int classes = 1 + *std::max_element(labels_.begin(), labels_.end());
  KWTA_ASSIGN_OR_RETURN(const LinearProbe probe, LinearProbe::Fit({&features, labels_, classes}, all, options_.probe));
  // Codes times this have a root mean square length of 1.
  const double squared = std::inner_product(codes.values.begin(), codes.values.end(), codes.values.begin(), 0.0);
  const double scale = squared > 0 ? std::sqrt(static_cast<double>(data_.rows()) / squared) : 1;
  return Classifier(probe, static_cast<float>(scale));
}

absl::Status Run::Tune() {
  while (place_.step < network_->layers()) {
    FineTuningProgress progress;
    KWTA_RETURN_IF_ERROR(Epoch(&progress));
    progress.step = place_.step + 1;
    progress.steps = network_->layers();
    progress.epochs_done = ++place_.epochs_done;
    progress.epochs = options_.epochs;
    const bool step_is_done = place_.epochs_done == options_.epochs;
    if (step_is_done) place_ = {place_.step + 1, 0};
    const bool done = place_.step == network_->layers();
    const bool stopped = control_.stop != nullptr && control_.stop->load() && !done;
    if (CheckpointsAreOn() && (step_is_done || stopped || place_.epochs_done % control_.checkpoint_epochs == 0)) {
      KWTA_RETURN_IF_ERROR(WriteCheckpoint());
    }
    KWTA_RETURN_IF_ERROR(Report(progress));
    if (stopped) {
      return absl::CancelledError(absl::StrCat("fine-tuning was stopped after epoch ", progress.epochs_done, " of ",
                                               progress.epochs, " of step ", progress.step));
    }
  }
  return absl::OkStatus();
}

absl::Status Run::Epoch(FineTuningProgress* progress) {
  Rng order_rng(options_.seed, OrderStream(place_.step, place_.epochs_done));
  const std::vector<uint32_t> order = RandomPermutation(data_.rows(), order_rng);
  const double updates = static_cast<double>(batches_) * options_.epochs;
  TunedNetwork::StepOptions step;
  step.first_layer = network_->layers() - 1 - place_.step;
  step.encoder.momentum = step.classifier.momentum = static_cast<float>(options_.momentum);
  step.encoder.l2 = static_cast<float>(options_.encoder_l2);
  step.classifier.l2 = static_cast<float>(options_.classifier_l2);
  step.code_dropout = options_.code_dropout;
  std::vector<float> x(options_.batch_size * rows_->width());
  std::vector<int32_t> labels(options_.batch_size);
  double loss = 0;
  int64_t wrong = 0;
  for (int64_t batch = 0; batch < batches_; ++batch) {
    const int64_t begin = batch * options_.batch_size;
    const int64_t rows = std::min<int64_t>(options_.batch_size, data_.rows() - begin);
    const int64_t update = place_.epochs_done * batches_ + batch;
    Rng rng(options_.seed, BatchStream(place_.step, update));
    KWTA_RETURN_IF_ERROR(rows_->Read(order.data() + begin, rows, rng, x.data()));
    for (int64_t i = 0; i < rows; ++i) labels[i] = labels_[order[begin + i]];
    if (options_.adversarial_length > 0) {
      const auto length = static_cast<float>(options_.adversarial_length);
      KWTA_RETURN_IF_ERROR(network_->AddAdversarial(length, labels.data(), rows, x.data()));
    }
    const double left = 1 - static_cast<double>(update) / updates;
    step.encoder.rate = static_cast<float>(options_.learning_rate * left);
    step.classifier.rate = static_cast<float>(options_.classifier_rate * left);
    KWTA_ASSIGN_OR_RETURN(const Classifier::Outcome outcome, network_->Step(x.data(), labels.data(), rows, step, rng));
    loss += outcome.loss;
    wrong += outcome.wrong;
  }
  progress->loss = loss / static_cast<double>(data_.rows());
  progress->training_error = static_cast<double>(wrong) / static_cast<double>(data_.rows());
  return absl::OkStatus();
}

absl::Status Run::Report(FineTuningProgress progress) const {
  if (!control_.report) return absl::OkStatus();
  if (control_.watched != nullptr &&
      (progress.epochs_done == progress.epochs || progress.epochs_done % control_.watch_epochs == 0)) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle now, Finish());
    KWTA_ASSIGN_OR_RETURN(progress.watched_error, ClassificationError(now, *control_.watched, backend_));
  }
  control_.report(progress);
  return absl::OkStatus();
}

absl::Status Run::WriteCheckpoint() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap network, network_->Checkpoint());
  return SaveFineTuningCheckpoint(control_.checkpoint_directory, fingerprint_, {place_, std::move(network)});
}

absl::StatusOr<ModelBundle> Run::Finish() const {
  ModelBundle bundle;
  bundle.description = model_.description;
  for (const auto& [name, tensor] : model_.tensors) bundle.tensors[name] = tensor.Clone();
  KWTA_RETURN_IF_ERROR(network_->Export(&bundle));
  return bundle;
}

absl::StatusOr<const Tensor*> FindClassifier(const ModelBundle& model, const std::string& name, size_t dimensions) {
  const auto found = model.tensors.find(name);
  if (found == model.tensors.end() || found->second.dtype() != DType::kF32 ||
      found->second.shape().size() != dimensions || FindNonFinite(found->second.rows()).has_value()) {
    return absl::DataLossError(absl::StrCat("the model has no tensor \"", name, "\" of type f32, finite and of ",
                                            dimensions, " dimensions; fine-tune it first"));
  }
  return &found->second;
}

}  // namespace

absl::StatusOr<ModelBundle> FineTune(const ModelBundle& model, const Dataset& training,
                                     const FineTuningOptions& options, std::shared_ptr<Backend> backend,
                                     const FineTuningControl& control) {
  KWTA_RETURN_IF_ERROR(Validate(options));
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, backend));
  KWTA_RETURN_IF_ERROR(CheckRows(training, *encoder));
  Run run(model, training, options, std::move(backend), control);
  KWTA_RETURN_IF_ERROR(run.Prepare());
  KWTA_RETURN_IF_ERROR(run.Tune());
  return run.Finish();
}

absl::StatusOr<double> ClassificationError(const ModelBundle& model, const Dataset& data,
                                           std::shared_ptr<Backend> backend) {
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, std::move(backend)));
  KWTA_RETURN_IF_ERROR(CheckRows(data, *encoder));
  KWTA_ASSIGN_OR_RETURN(const Tensor* weights, FindClassifier(model, "classifier.weights", 2));
  KWTA_ASSIGN_OR_RETURN(const Tensor* bias, FindClassifier(model, "classifier.bias", 1));
  const int64_t classes = bias->elements();
  if (weights->shape() != Shape{encoder->code_width(), classes} || classes < 2) {
    return absl::DataLossError(absl::StrCat("the model's classifier has weights ", ShapeString(weights->shape()),
                                            " and biases ", ShapeString(bias->shape()), " for codes of width ",
                                            encoder->code_width()));
  }
  int64_t wrong = 0;
  KWTA_RETURN_IF_ERROR(VisitCodes(data, *encoder, [&](const SparseCodes& codes, int64_t first) {
    const CodeFeatures features(codes);
    for (int64_t i = 0; i < codes.rows(); ++i) {
      const int predicted =
          Classifier::Predict(weights->as<float>(), bias->as<float>(), classes, features.Row(i, nullptr));
      wrong += predicted != data.label(first + i);
    }
  }));
  return static_cast<double>(wrong) / static_cast<double>(data.rows());
}

}  // namespace kwta
