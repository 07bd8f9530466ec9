#include "core/research/reproduction/winner_take_all_jobs.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {
namespace {

// The regression does not overfit the features of so few maps: less dropout and more epochs validate better
// (docs/results.md).
constexpr uint32_t kFewMaps = 32;

bool AreFew(const Workbench& bench, uint32_t maps) { return maps <= kFewMaps && !bench.quick(); }

}  // namespace

v1::JobSpec WinnerJob(const Workbench& bench, const WinnerLayer& layer, const std::string& dataset,
                      uint64_t training_rows, uint32_t epochs, uint64_t seed) {
  v1::JobSpec job;
  v1::WinnerTakeAllSpec& encoder = *job.mutable_encoder()->mutable_winner_take_all();
  encoder.set_maps(layer.maps);
  encoder.set_filter_size(layer.filter_size);
  encoder.set_pool_width(layer.pool_width);
  encoder.set_pool_stride(layer.pool_stride);
  encoder.set_pool_padding(layer.pool_padding);
  v1::TrainingSpec& training = *job.mutable_training();
  training.set_epochs(epochs);
  training.set_learning_rate(bench.quick() ? 0.005f : 0.001f);
  if (bench.quick()) training.set_batch_size(20);
  training.set_final_learning_rate(0);
  training.set_seed(seed);
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, training_rows);
  return job;
}

ClassificationPlan PooledMapsPlan(const Workbench& bench, int64_t validation_rows, uint32_t maps) {
  ClassificationPlan plan;
  plan.grid.validation_rows = validation_rows;
  LinearProbeOptions probe;
  probe.scaling = FeatureScaling::kCentred;
  const bool few = AreFew(bench, maps);
  probe.learning_rate = few ? 0.1 : 0.03;
  probe.epochs = probe.schedule_epochs = bench.quick() ? 10 : few ? 40 : 30;
  plan.grid.dropout = {few ? 0.2 : 0.5};
  plan.grid.l2 = {1e-7, 1e-6};
  plan.grid.choose_epochs = false;
  plan.probes = {probe};
  return plan;
}

v1::JobSpec WhitenedCifarJob(const Workbench& bench, uint32_t maps, uint64_t training_rows, uint64_t seed) {
  v1::JobSpec job = WinnerJob(bench, {maps, 6, 5, 4, 1}, "cifar10", training_rows, bench.quick() ? 3 : 5, seed);
  job.mutable_preprocessing()->add_steps()->mutable_global_contrast();
  job.mutable_preprocessing()->add_steps()->mutable_whiten();
  return job;
}

ClassificationPlan WhitenedCifarPlan(const Workbench& bench, uint32_t maps) {
  ClassificationPlan plan = PooledMapsPlan(bench, bench.quick() ? 300 : 5000, maps);
  if (!bench.quick() && !AreFew(bench, maps)) {
    plan.probes[0].epochs = plan.probes[0].schedule_epochs = 20;
    plan.grid.l2 = {1e-6};
  }
  return plan;
}

absl::StatusOr<nlohmann::json> ClassifyPooledMaps(Workbench& bench, ClassificationPlan plan, const ModelBundle& model) {
  plan.key = {{"model", ModelJson(model)}};
  plan.choices = {{"pooled maps", [&](const Dataset& data) { return bench.Codes(model, data, {}); }}};
  KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
  result["model"] = ModelJson(model);
  return result;
}

absl::StatusOr<nlohmann::json> ClassifySecondLayer(Workbench& bench, ClassificationPlan plan, const ModelBundle& first,
                                                   const v1::JobSpec& job, const WinnerLayer& layer, uint32_t epochs) {
  plan.label = absl::StrCat(plan.label, " + ", layer.maps, " maps");
  const v1::JobSpec second =
      WinnerJob(bench, layer, job.dataset().name(), job.dataset().max_rows(), epochs, job.training().seed());
  KWTA_ASSIGN_OR_RETURN(const ModelBundle stack, bench.Train(plan.label, second, &first));
  return ClassifyPooledMaps(bench, std::move(plan), stack);
}

}  // namespace kwta
