// What the winner-take-all paper compares its features with.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/model_bundle.h"
#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/workbench.h"

namespace kwta {

// Triangle k-means with `maps` centroids on the images of `plan`, judged by its probes; its choices and key are not
// used. Gives what Classify gives.
absl::StatusOr<nlohmann::json> ClassifyTriangleKMeans(Workbench& bench, ClassificationPlan plan, int64_t maps,
                                                      uint64_t seed);

// A supervised network with the maps, filters, pooling and preprocessing of `like`, a winner-take-all model. The
// learning rate is chosen on the plan's validation rows. Gives {"test_error", "validation_error" (percentages),
// "learning_rate", "epochs", "seconds", ...}.
absl::StatusOr<nlohmann::json> ClassifySupervised(Workbench& bench, const ClassificationPlan& plan,
                                                  const ModelBundle& like, uint64_t seed);

}  // namespace kwta
