// Training jobs of winner-take-all convolutional encoders according to section 3 of the paper.
#pragma once

#include <string>

#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// The extents of one layer.
struct WinnerLayer {
  uint32_t maps;
  uint32_t filter_size;
  uint32_t pool_width, pool_stride, pool_padding;
};

// Adam on batches of 100; the rate falls linearly to zero over the second half. Rows 0: all. Quick runs have few rows,
// so they use small batches and a large rate.
v1::JobSpec WinnerJob(const Workbench& bench, const WinnerLayer& layer, const std::string& dataset,
                      uint64_t training_rows, uint32_t epochs, uint64_t seed);

// Softmax regression on centred pooled maps of a layer of `maps`, with dropout of features.
ClassificationPlan PooledMapsPlan(const Workbench& bench, int64_t validation_rows, uint32_t maps);

// A layer of `maps` on CIFAR-10 images after global contrast normalisation and whitening (section 3.2). Filters have
// width 6, where the paper has 9: wider ones validate no better (docs/results.md) and take longer. Pooling has width 5
// and stride 4: 32x32 becomes 8x8.
v1::JobSpec WhitenedCifarJob(const Workbench& bench, uint32_t maps, uint64_t training_rows, uint64_t seed);
// The probe for that job.
ClassificationPlan WhitenedCifarPlan(const Workbench& bench, uint32_t maps);

// Judges the pooled maps of `model` with the plan's probes. Returns what Classify returns, and the model's description.
absl::StatusOr<nlohmann::json> ClassifyPooledMaps(Workbench& bench, ClassificationPlan plan, const ModelBundle& model);

// Trains a second layer on the pooled maps of `first`, a layer trained by `job` (section 2.2), and judges the pooled
// maps of the stack.
absl::StatusOr<nlohmann::json> ClassifySecondLayer(Workbench& bench, ClassificationPlan plan, const ModelBundle& first,
                                                   const v1::JobSpec& job, const WinnerLayer& layer, uint32_t epochs);

}  // namespace kwta
