#include "core/training/fine_tuning/fine_tuning_trainee.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/evaluation/code_blocks.h"
#include "core/evaluation/feature_rows.h"
#include "core/evaluation/linear_probe.h"
#include "core/evaluation/stored_classifier.h"
#include "core/files/sha256.h"
#include "core/training/batch_limits.h"
#include "core/training/fine_tuning/fine_tuning_spec.h"
#include "core/training/fine_tuning/tuned_network.h"
#include "core/training/fine_tuning/tuning_rows.h"
#include "core/training/schedules.h"

namespace kwta {
namespace {

double SquaredSum(const float* numbers, int64_t count) {
  return std::inner_product(numbers, numbers + count, numbers, 0.0);
}

// What the lowest layer was trained with.
TunedCode LowestCode(const v1::EncoderSpec& model) {
  const v1::EncoderSpec& layer = LayerSpec(model, 0);
  return FindEncoderKind(layer)->tuned_code(layer);
}

class FineTuningTrainee : public Trainee {
 public:
  FineTuningTrainee(const v1::JobSpec& spec, ModelBundle model, std::shared_ptr<const Encoder> encoder,
                    const Dataset& data, TuningRows rows, std::shared_ptr<Backend> backend)
      : training_(spec.training()),
        tuning_(spec.fine_tuning()),
        model_(std::move(model)),
        encoder_(std::move(encoder)),
        data_(data),
        rows_(std::move(rows)),
        backend_(std::move(backend)),
        labels_(data.Labels()),
        classes_(1 + *std::max_element(labels_.begin(), labels_.end())),
        layers_(LayerCount(model_.description.encoder())),
        step_updates_(DivideUp(data.rows(), training_.batch_size()) * training_.epochs()),
        x_(training_.batch_size() * rows_.width()),
        batch_labels_(training_.batch_size()) {}

  int64_t rows() const override { return data_.rows(); }
  int64_t units() const override { return 0; }
  int64_t epochs() const override { return layers_ * StepEpochs(); }
  int64_t epochs_before() const override { return tuning_.classifier_epochs(); }
  uint64_t OrderStream(int64_t epoch) const override {
    return (static_cast<uint64_t>(StepOf(epoch)) << 32) + epoch % StepEpochs();
  }
  double LearningRate(int64_t update) const override { return training_.learning_rate() * RateLeft(update); }
  std::string EpochName(int64_t epoch) const override {
    // Messages count the classifier's own training as the first step.
    return absl::StrCat(epoch % StepEpochs() + 1, " of ", StepEpochs(), " of step ", StepOf(epoch) + 2);
  }
  // Each step takes longer than the one before; the classifier's own takes next to no time.
  bool ChangesPace(int64_t epoch) const override { return epoch % StepEpochs() == 0; }
  std::string DataFingerprint() const override;
  Baseline baseline() const override { return {std::log(static_cast<double>(classes_)), "guessing the class"}; }

  absl::Status Reset() override;
  absl::Status Begin(const AfterEpoch& after_epoch) override;
  absl::Status Update(const TrainingBatch& batch) override;
  absl::StatusOr<std::vector<double>> TakeLosses(EpochTotals* totals) override;
  std::vector<std::string> other_causes() const override {
    return {absl::StrCat("fine_tuning.classifier_rate from ", tuning_.classifier_rate())};
  }
  const char* loss_name() const override { return "cross-entropy"; }
  absl::StatusOr<TensorMap> Checkpoint() const override { return network_->Checkpoint(); }
  absl::Status Restore(const TensorMap& state) override { return network_->Restore(state); }
  void Describe(const EpochReport& report, const EpochTotals* last_epoch,
                v1::TrainingProgress* progress) const override;
  absl::StatusOr<ModelBundle> Finish(const EpochTotals& last_epoch) override;

 private:
  int64_t StepEpochs() const { return training_.epochs(); }
  // Steps of the loop are numbered from 0, which trains the top layer.
  int64_t StepOf(int64_t epoch) const { return epoch / StepEpochs(); }
  double RateLeft(int64_t update) const { return LinearFall(update % step_updates_, step_updates_); }

  const v1::TrainingSpec& training_;
  const v1::FineTuningSpec& tuning_;
  ModelBundle model_;
  const std::shared_ptr<const Encoder> encoder_;  // of the model before fine-tuning
  const Dataset& data_;
  TuningRows rows_;
  const std::shared_ptr<Backend> backend_;
  const std::vector<int32_t> labels_;
  const int classes_;
  const int64_t layers_;
  const int64_t step_updates_;
  std::optional<TunedNetwork> network_;
  std::vector<float> x_;               // [batch_size, width]
  std::vector<int32_t> batch_labels_;  // [batch_size]
  // Losses of the updates since the last TakeLosses.
  std::vector<double> losses_;
  int64_t wrong_ = 0;
};

std::string FineTuningTrainee::DataFingerprint() const {
  Sha256 hash;
  for (const auto& [name, tensor] : model_.tensors) {
    hash.Add(absl::StrCat(name, ShapeString(tensor.shape())));
    hash.Add(absl::string_view(static_cast<const char*>(tensor.data()), tensor.bytes()));
  }
  hash.Add(model_.description.encoder().SerializeAsString());
  hash.Add(model_.description.preprocessing().SerializeAsString());
  for (int64_t i = 0; i < data_.rows(); ++i) {
    const RowsView row = data_.row(i);
    hash.Add(absl::string_view(static_cast<const char*>(row.data), row.row_bytes()));
    hash.Add(absl::StrCat(" ", data_.label(i), " "));
  }
  return absl::BytesToHexString(hash.Finish());
}

absl::Status FineTuningTrainee::Reset() {
  KWTA_ASSIGN_OR_RETURN(network_, TunedNetwork::Create(model_, backend_));
  network_->SetClassifier(Classifier(model_.description.code_width(), classes_, 1));
  return absl::OkStatus();
}

// Step 1: trains the classifier on fixed codes.
absl::Status FineTuningTrainee::Begin(const AfterEpoch& after_epoch) {
  SparseCodes sparse;
  Tensor dense;  // of an encoder whose codes are dense
  double squared = 0;
  std::unique_ptr<const FeatureRows> features;
  if (encoder_->dense_codes()) {
    dense = Tensor(DType::kF32, {data_.rows(), encoder_->code_width()});
    KWTA_RETURN_IF_ERROR(ForEachStoredBlock(data_, [&](const RowsView& rows, int64_t first) {
      return encoder_->EncodeDense(rows, encoder_->code_width(), dense.as<float>() + first * encoder_->code_width());
    }));
    squared = SquaredSum(dense.as<float>(), dense.elements());
    features = std::make_unique<DenseFeatures>(dense.rows());
  } else {
    sparse.units = encoder_->code_width();
    KWTA_RETURN_IF_ERROR(VisitCodes(
        data_, *encoder_, [&](const SparseCodes& block, int64_t) { sparse.AppendRows(block, 0, block.rows()); }));
    squared = SquaredSum(sparse.values.data(), sparse.entries());
    features = std::make_unique<CodeFeatures>(sparse);
  }
  std::vector<uint32_t> all(data_.rows());
  std::iota(all.begin(), all.end(), 0u);
  LinearProbeOptions options;
  options.epochs = options.schedule_epochs = static_cast<int>(tuning_.classifier_epochs());
  options.seed = training_.seed();
  KWTA_ASSIGN_OR_RETURN(const LinearProbe probe, LinearProbe::Fit({features.get(), labels_, classes_}, all, options,
                                                                  [&](int epochs_done, const LinearProbe&) {
                                                                    return after_epoch(epochs_done);
                                                                  }));
  // Scales codes to a root mean square length of 1.
  const double scale = squared > 0 ? std::sqrt(static_cast<double>(data_.rows()) / squared) : 1;
  network_->SetClassifier(Classifier(probe, static_cast<float>(scale)));
  return absl::OkStatus();
}

absl::Status FineTuningTrainee::Update(const TrainingBatch& batch) {
  const int64_t step = StepOf(batch.epoch);
  // The random draws of batches use other streams than the orders of epochs.
  const uint64_t stream = (uint64_t{1} << 63) + (static_cast<uint64_t>(step) << 48) + batch.update % step_updates_;
  Rng rng(training_.seed(), stream);
  KWTA_RETURN_IF_ERROR(rows_.Read(batch.which, batch.rows, rng, x_.data()));
  for (int64_t i = 0; i < batch.rows; ++i) batch_labels_[i] = labels_[batch.which[i]];
  if (tuning_.adversarial_length() > 0) {
    KWTA_RETURN_IF_ERROR(
        network_->AddAdversarial(tuning_.adversarial_length(), batch_labels_.data(), batch.rows, x_.data()));
  }
  TunedNetwork::StepOptions options;
  options.first_layer = static_cast<int>(layers_ - 1 - step);
  options.encoder.rate = static_cast<float>(LearningRate(batch.update));
  options.encoder.momentum = options.classifier.momentum = training_.momentum();
  options.encoder.l2 = tuning_.encoder_l2();
  options.classifier.rate = static_cast<float>(tuning_.classifier_rate() * RateLeft(batch.update));
  options.classifier.l2 = tuning_.classifier_l2();
  if (tuning_.has_code_dropout()) options.code_dropout = tuning_.code_dropout();
  KWTA_ASSIGN_OR_RETURN(const Classifier::Outcome outcome,
                        network_->Step(x_.data(), batch_labels_.data(), batch.rows, options, rng));
  losses_.push_back(outcome.loss);
  wrong_ += outcome.wrong;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> FineTuningTrainee::TakeLosses(EpochTotals* totals) {
  totals->wrong += std::exchange(wrong_, 0);
  return std::exchange(losses_, {});
}

void FineTuningTrainee::Describe(const EpochReport& report, const EpochTotals*, v1::TrainingProgress* progress) const {
  progress->set_loss(report.totals->loss / static_cast<double>(report.rows));
  progress->set_training_error(static_cast<double>(report.totals->wrong) / static_cast<double>(report.rows));
}

absl::StatusOr<ModelBundle> FineTuningTrainee::Finish(const EpochTotals& last_epoch) {
  KWTA_RETURN_IF_ERROR(network_->Export(&model_));
  v1::FineTuningSpec& tuning = *model_.description.mutable_fine_tuning();
  tuning = tuning_;
  const v1::EncoderSpec& spec = model_.description.encoder();
  if (!tuning.has_input_dropout()) tuning.set_input_dropout(LowestCode(spec).input_dropout);
  if (!tuning.has_code_dropout()) {
    const v1::EncoderSpec& top = LayerSpec(spec, LayerCount(spec) - 1);
    tuning.set_code_dropout(FindEncoderKind(top)->tuned_code(top).code_dropout);
  }
  v1::TrainingStatistics statistics;
  statistics.set_training_error(static_cast<double>(last_epoch.wrong) / static_cast<double>(rows()));
  *model_.description.mutable_statistics() = statistics;
  return std::move(model_);
}

absl::Status CheckClasses(const Dataset& data) {
  for (int64_t i = 1; i < data.rows(); ++i) {
    if (data.label(i) != data.label(0)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("all ", data.rows(), " rows of the data have the label ",
                                                 data.label(0), "; fine-tuning needs at least two classes"));
}

// Checks the batch size. The memory of a batch depends on the model.
absl::Status CheckMemory(int64_t batch_size, const v1::ModelDescription& model) {
  int64_t scores = model.code_width();
  for (int i = 0; i < LayerCount(model.encoder()); ++i) {
    scores = std::max(scores, RowScores(LayerSpec(model.encoder(), i)));
  }
  return CheckBatchScores(batch_size, scores);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainee>> CreateFineTuningTrainee(const v1::JobSpec& spec, ModelBundle model,
                                                                 const Dataset& data,
                                                                 std::shared_ptr<Backend> backend) {
  KWTA_RETURN_IF_ERROR(CheckCanBeTuned(model.description));
  KWTA_RETURN_IF_ERROR(CheckMemory(spec.training().batch_size(), model.description));
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, CreateEncoder(model, backend));
  KWTA_RETURN_IF_ERROR(CheckLabelledRows(data, *encoder));
  KWTA_RETURN_IF_ERROR(CheckClasses(data));
  const TunedCode lowest = LowestCode(model.description.encoder());
  InputDropout dropout{lowest.input_dropout, lowest.scales_inputs};
  if (spec.fine_tuning().has_input_dropout()) dropout = {spec.fine_tuning().input_dropout()};
  KWTA_ASSIGN_OR_RETURN(TuningRows rows,
                        TuningRows::Create(model, data, dropout, static_cast<int>(spec.fine_tuning().max_shift())));
  return std::make_unique<FineTuningTrainee>(spec, std::move(model), std::move(encoder), data, std::move(rows),
                                             std::move(backend));
}

}  // namespace kwta
