#include "core/reproduction/winner_take_all_jobs.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/reproduction/k_sparse_jobs.h"
#include "core/reproduction/pictures.h"

namespace kwta {

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

void AddWhitening(v1::JobSpec* job) {
  job->mutable_preprocessing()->add_steps()->mutable_global_contrast();
  job->mutable_preprocessing()->add_steps()->mutable_whiten();
}

ClassificationPlan PooledMapsPlan(const Workbench& bench, int64_t validation_rows) {
  ClassificationPlan plan;
  plan.grid.validation_rows = validation_rows;
  LinearProbeOptions probe;
  probe.scaling = FeatureScaling::kCentred;
  plan.grid.dropout = {0.5};
  plan.grid.l2 = {1e-7, 1e-6};
  if (bench.quick()) {
    probe.epochs = probe.schedule_epochs = 10;
  } else {
    probe.epochs = probe.schedule_epochs = 30;
    plan.grid.l2 = {1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 1e-5};
  }
  plan.probes = {probe};
  return plan;
}

FeatureChoice PooledMaps(Workbench& bench, const std::string& name, const ModelBundle& model) {
  return {name, [&bench, &model](const Dataset& data) { return bench.Codes(model, data, {}); }};
}

absl::StatusOr<nlohmann::json> ClassifySecondLayer(Workbench& bench, ClassificationPlan plan, const ModelBundle& first,
                                                   const v1::JobSpec& job, const WinnerLayer& layer, uint32_t epochs) {
  const std::string label = absl::StrCat(plan.label, " + ", layer.maps, " maps");
  const v1::JobSpec second =
      WinnerJob(bench, layer, job.dataset().name(), job.dataset().max_rows(), epochs, job.training().seed());
  KWTA_ASSIGN_OR_RETURN(const ModelBundle stack, bench.TrainLayer(label, second, first));
  plan.label = label;
  plan.key = {{"model", ModelJson(stack)}};
  plan.choices = {PooledMaps(bench, "pooled maps of layer 2", stack)};
  KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
  result["model"] = ModelJson(stack);
  return result;
}

}  // namespace kwta
