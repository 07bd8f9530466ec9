// What the figures of regularised encoders train: their size, panels and jobs.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/regulariser_figure.h"

namespace kwta {
namespace {

// A checkpoint after each tenth epoch of a full run: half a minute at most is lost.
constexpr uint32_t kCheckpointsOfRun = 5;

}  // namespace

Scale FigureScale(const Workbench& bench) {
  if (bench.quick()) return {200, 8, 50, 2000, {0, 0.01f, 0.25f, 1}, {0, 0.25f, 1}, {0.001f, 0.003f}};
  Scale scale{1000, 50, 50, 50'000, {0, 0.001f}, {0, 0.25f, 1}, {0.001f, 0.002f, 0.005f}};
  for (int tenths = 1; tenths <= 10; ++tenths) scale.sigma2.push_back(static_cast<float>(tenths * tenths) / 100);
  return scale;
}

v1::JobSpec PanelJob(const Scale& scale, const Panel& panel, const std::string& dataset, float rate, uint64_t seed) {
  v1::JobSpec job;
  v1::RegularisedSpec& encoder = *job.mutable_encoder()->mutable_regularised();
  encoder.set_units(scale.units);
  encoder.set_activation(panel.activation);
  encoder.set_unit_length(panel.unit_length);
  v1::PreprocessingSpec& preprocessing = *job.mutable_preprocessing();
  if (panel.patches) {
    v1::RandomPatchesStep& patches = *preprocessing.add_steps()->mutable_random_patches();
    patches.set_size(8);
    patches.set_patches(static_cast<uint32_t>(scale.rows));
    preprocessing.add_steps()->mutable_standardise();
  } else {
    preprocessing.add_steps()->mutable_standardise()->set_constant(0.1f);  // the paper's second footnote
  }
  preprocessing.set_subtract_mean(false);  // it is zero
  v1::TrainingSpec& training = *job.mutable_training();
  training.set_epochs(scale.epochs);
  training.set_batch_size(scale.batch);
  training.set_learning_rate(rate);
  training.set_final_learning_rate(rate);
  training.set_seed(seed);
  training.set_checkpoint_epochs(std::max<uint32_t>(1, scale.epochs / kCheckpointsOfRun));
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.rows);
  return job;
}

absl::StatusOr<std::vector<Panel>> FigurePanels(const Workbench& bench, const std::vector<v1::Activation>& activations,
                                                bool unit_length) {
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  std::vector<Panel> panels;
  for (const v1::Activation activation : activations) {
    const char* const name = activation == v1::ACTIVATION_RELU      ? "ReLU"
                             : activation == v1::ACTIVATION_SIGMOID ? "sigmoid"
                                                                    : "softplus";
    const std::string form = absl::StrCat(name, ", ", unit_length ? "unit length" : "free length");
    panels.push_back({absl::StrCat(digits, ", ", form), false, activation, unit_length});
    if (bench.quick()) continue;
    panels.push_back({absl::StrCat("patches of CIFAR-10, ", form), true, activation, unit_length});
  }
  return panels;
}

}  // namespace kwta
