// Training jobs of k-sparse encoders according to section 4.2 of the paper.
#pragma once

#include <string>
#include <vector>

#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// The default alpha of codes (section 4.4: "the best result is achieved by k = 25, alpha = 3").
inline constexpr float kEncodeAlpha = 3;

// Settings that the runs of a k-sparse table share. Rows 0: all of them.
struct KSparseScale {
  uint32_t units;
  uint32_t k_start;
  uint32_t epochs, second_layer_epochs;  // epochs 0: the number that suits k
  float rate, final_rate;
  uint64_t training_rows, test_rows;
  int64_t validation_rows;
  std::vector<double> alphas;
};

// Chosen on validation rows (docs/results.md). The quick one is small enough to run in a minute.
KSparseScale FullKSparseScale();
KSparseScale QuickKSparseScale();
inline KSparseScale KSparseScaleOf(const Workbench& bench) {
  return bench.quick() ? QuickKSparseScale() : FullKSparseScale();
}

v1::DatasetRef Part(const std::string& dataset, v1::DatasetSplit split, uint64_t max_rows);

// A job that trains on all training rows without their labels.
v1::JobSpec KSparseJob(const KSparseScale& scale, const std::string& dataset, uint32_t k, uint64_t seed);

// The probe that judges codes and pixels: softmax regression.
ClassificationPlan SoftmaxPlan(const Workbench& bench, int64_t validation_rows);

// Codes of `model`, one choice per alpha.
std::vector<FeatureChoice> AlphaChoices(Workbench& bench, const ModelBundle& model, const std::vector<double>& alphas);
// Pixels as stored.
std::vector<FeatureChoice> PixelChoice();

}  // namespace kwta
