#include "core/research/reproduction/k_sparse_jobs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

// Validation rows chose these for 10, 25 and 40: the more units are active, the sooner further epochs make codes worse.
uint32_t EpochsThatSuit(uint32_t k) {
  if (k <= 10) return 150;
  return k < 40 ? 300 : 60;
}

}  // namespace

KSparseScale FullKSparseScale() { return {1000, 100, 0, 100, 0.01f, 0, 0, 0, 10'000, {2, 3, 5}}; }
KSparseScale QuickKSparseScale() { return {1000, 100, 12, 12, 0.01f, 0, 12'000, 2000, 1500, {1}}; }

v1::DatasetRef Part(const std::string& dataset, v1::DatasetSplit split, uint64_t max_rows) {
  v1::DatasetRef reference;
  reference.set_name(dataset);
  reference.set_split(split);
  reference.set_max_rows(max_rows);
  return reference;
}

v1::JobSpec KSparseJob(const KSparseScale& scale, const std::string& dataset, uint32_t k, uint64_t seed) {
  v1::JobSpec job;
  v1::KSparseSpec& encoder = *job.mutable_encoder()->mutable_k_sparse();
  encoder.set_units(scale.units);
  encoder.set_k(k);
  encoder.set_encode_alpha(kEncodeAlpha);
  encoder.set_k_start(std::max(k, scale.k_start));
  job.mutable_preprocessing()->set_subtract_mean(true);
  v1::TrainingSpec& training = *job.mutable_training();
  training.set_epochs(scale.epochs > 0 ? scale.epochs : EpochsThatSuit(k));
  training.set_learning_rate(scale.rate);
  training.set_final_learning_rate(scale.final_rate);
  training.set_seed(seed);
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.training_rows);
  return job;
}

ClassificationPlan SoftmaxPlan(const Workbench& bench, int64_t validation_rows) {
  ClassificationPlan plan;
  plan.grid.validation_rows = validation_rows;
  LinearProbeOptions probe;
  if (!bench.quick()) {
    // Large steps and dropout: steps of a tenth, or no dropout, raise the validation error by 0.1 to 0.3 points.
    probe.learning_rate = 1;
    probe.epochs = probe.schedule_epochs = 40;
    probe.scaling = FeatureScaling::kCentred;
    plan.grid.dropout = {0.3};
    plan.grid.l2 = {1e-7};
    plan.grid.choose_epochs = false;
  }
  plan.probes = {probe};
  return plan;
}

std::vector<FeatureChoice> AlphaChoices(Workbench& bench, const ModelBundle& model, const std::vector<double>& alphas) {
  std::vector<FeatureChoice> choices;
  choices.reserve(alphas.size());
  for (const double alpha : alphas) {
    choices.push_back({absl::StrCat("alpha ", alpha), [&bench, &model, alpha](const Dataset& data) {
                         EncodeOptions options;
                         options.alpha = alpha;
                         return bench.Codes(model, data, options);
                       }});
  }
  return choices;
}

std::vector<FeatureChoice> PixelChoice() {
  return {{"pixels", [](const Dataset& data) -> absl::StatusOr<Tensor> { return StoredRows(data); }}};
}

}  // namespace kwta
