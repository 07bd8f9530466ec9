// The methods that the winner-take-all paper compares its features with.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/model_bundle.h"
#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/workbench.h"

namespace kwta {

// Fits triangle k-means with `maps` centroids on the images of `plan` and judges it with the plan's probes. Ignores the
// plan's choices and key. Returns what Classify returns.
absl::StatusOr<nlohmann::json> ClassifyTriangleKMeans(Workbench& bench, ClassificationPlan plan, int64_t maps,
                                                      uint64_t seed);

// Trains a supervised network with the maps, filters, pooling and preprocessing of `like`, a winner-take-all model.
// Chooses the learning rate on the plan's validation rows. Returns {"test_error", "validation_error" (percentages),
// "learning_rate", "epochs", "seconds", ...}.
absl::StatusOr<nlohmann::json> ClassifySupervised(Workbench& bench, const ClassificationPlan& plan,
                                                  const ModelBundle& like, uint64_t seed);

}  // namespace kwta
