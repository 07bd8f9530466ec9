// Training jobs of winner-take-all convolutional encoders as section 3 of the paper has them.
#pragma once

#include <string>

#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// Extents of one layer.
struct WinnerLayer {
  uint32_t maps;
  uint32_t filter_size;
  uint32_t pool_width, pool_stride, pool_padding;
};

// Adam on batches of 100, the rate falling linearly to zero over the second half. Rows 0: all. Quick runs, which have
// few rows, make up for it with small batches and a large rate.
v1::JobSpec WinnerJob(const Workbench& bench, const WinnerLayer& layer, const std::string& dataset,
                      uint64_t training_rows, uint32_t epochs, uint64_t seed);

// Softmax regression on centred pooled maps of a layer of `maps`, with dropout of features.
ClassificationPlan PooledMapsPlan(const Workbench& bench, int64_t validation_rows, uint32_t maps);

// A layer of `maps` on the images of CIFAR-10 after global contrast normalisation and whitening (section 3.2). Filters
// of width 6, where the paper has 9: wider ones validate no better (docs/results.md) and take longer. Pooling of width
// 5 and stride 4: 32x32 gives 8x8.
v1::JobSpec WhitenedCifarJob(const Workbench& bench, uint32_t maps, uint64_t training_rows, uint64_t seed);
// The probe for it.
ClassificationPlan WhitenedCifarPlan(const Workbench& bench, uint32_t maps);

// Judges the pooled maps of `model` by the plan's probes. Gives what Classify gives and the model's description.
absl::StatusOr<nlohmann::json> ClassifyPooledMaps(Workbench& bench, ClassificationPlan plan, const ModelBundle& model);

// Trains a second layer on the pooled maps of `first`, a layer trained by `job` (section 2.2), and judges the
// pooled maps of the stack.
absl::StatusOr<nlohmann::json> ClassifySecondLayer(Workbench& bench, ClassificationPlan plan, const ModelBundle& first,
                                                   const v1::JobSpec& job, const WinnerLayer& layer, uint32_t epochs);

}  // namespace kwta
