#include "core/research/reproduction/compared_jobs.h"

namespace kwta {
namespace {

// The paper's: table 1.
constexpr float kHiddenDropout = 0.5f, kInputDropout = 0.2f;

// How a method is trained on MNIST. Validation rows chose these (docs/results.md).
struct ComparedTraining {
  uint32_t epochs;
  float rate;
  bool subtract_mean;  // a machine's inputs are probabilities, so it cannot
};

ComparedTraining TrainingOf(ComparedMethod method) {
  switch (method) {
    case ComparedMethod::kRbm:
      return {60, 0.05f, false};
    case ComparedMethod::kDropout:
      return {30, 0.03f, true};
    case ComparedMethod::kDenoising:
      return {10, 0.05f, true};
    default:
      return {10, 0.02f, true};
  }
}

}  // namespace

std::vector<ComparedRow> ComparedRows() {
  return {{ComparedMethod::kRbm, "RBM", 1.81},
          {ComparedMethod::kDropout, "dropout autoencoder, 50% of the hidden units", 1.80},
          {ComparedMethod::kDenoising, "denoising autoencoder, 20% of the inputs", 1.95},
          {ComparedMethod::kDropoutAndDenoising, "dropout and denoising autoencoder, 50% and 20%", 1.60}};
}

const char* NameOf(ComparedMethod method) {
  for (const ComparedRow& row : ComparedRows()) {
    if (row.method == method) return row.name;
  }
  return "";
}

v1::JobSpec ComparedJob(const KSparseScale& scale, const std::string& dataset, ComparedMethod method, uint64_t seed) {
  v1::JobSpec job;
  v1::TrainingSpec& training = *job.mutable_training();
  const ComparedTraining chosen = TrainingOf(method);
  // Other images vary more than digits do, and linear decoders diverge on them at these rates.
  const bool slower = dataset != "mnist" && method != ComparedMethod::kRbm;
  training.set_epochs(scale.epochs > 0 ? scale.epochs : chosen.epochs);
  training.set_learning_rate(slower ? chosen.rate / 10 : chosen.rate);
  training.set_final_learning_rate(0);
  training.set_seed(seed);
  job.mutable_preprocessing()->set_subtract_mean(chosen.subtract_mean);
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.training_rows);
  v1::EncoderSpec& encoder = *job.mutable_encoder();
  if (method == ComparedMethod::kRbm) {
    encoder.mutable_rbm()->set_units(scale.units);
    return job;
  }
  if (method == ComparedMethod::kDenoising) {
    encoder.mutable_regularised()->set_units(scale.units);
    encoder.mutable_regularised()->set_masking_noise(kInputDropout);
    encoder.mutable_regularised()->set_unit_length(false);
    return job;
  }
  encoder.mutable_dropout()->set_units(scale.units);
  encoder.mutable_dropout()->set_hidden_dropout(kHiddenDropout);
  if (method == ComparedMethod::kDropoutAndDenoising) encoder.mutable_dropout()->set_masking_noise(kInputDropout);
  return job;
}

v1::JobSpec UntrainedJob(const KSparseScale& scale, const std::string& dataset, uint64_t seed) {
  v1::JobSpec job = ComparedJob(scale, dataset, ComparedMethod::kDropout, seed);
  job.mutable_encoder()->mutable_dropout()->set_hidden_dropout(0);
  // A rate cannot be zero; this one changes no weight.
  job.mutable_training()->set_learning_rate(1e-30f);
  job.mutable_training()->set_epochs(1);
  return job;
}

ClassificationPlan ComparedPlan(const Workbench& bench, int64_t validation_rows) {
  ClassificationPlan plan = SoftmaxPlan(bench, validation_rows);
  if (bench.quick()) return plan;
  // Codes of which a quarter or more is active want less dropout and smaller steps than sparse ones.
  const LinearProbeOptions sparse = plan.probes.front();
  plan.grid.dropout = {0.1, 0.3};
  for (const double rate : {0.3, 0.1}) {
    plan.probes.push_back(sparse);
    plan.probes.back().learning_rate = rate;
  }
  return plan;
}

std::vector<FeatureChoice> CodeChoice(Workbench& bench, const ModelBundle& model) {
  return {{"codes", [&bench, &model](const Dataset& data) { return bench.Codes(model, data, {}); }}};
}

}  // namespace kwta
