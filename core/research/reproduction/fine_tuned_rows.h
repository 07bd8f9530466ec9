// Rows of tables that judge fine-tuned networks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// A data set and its parts: those that fine-tuning learns from and those that judge it.
struct Parts {
  std::string name;
  v1::DatasetRef fitted, all;
  Dataset training, validation, test;
};
absl::StatusOr<Parts> LoadParts(const Workbench& bench, const KSparseScale& scale, const std::string& dataset);

// How a model is fine-tuned.
struct Tuning {
  const char* label;  // follows the model's label
  uint32_t max_shift;
  float adversarial_length;
  uint32_t epochs;
  float learning_rate;
  std::optional<float> code_dropout;  // none: what each layer was trained with
};
// As the paper does: with the regularisation of each layer's own training, and nothing besides. Rate and epochs were
// chosen on validation rows of MNIST.
inline constexpr Tuning kAsTrained = {"", 0, 0, 40, 0.1f, std::nullopt};

// Tunes on all training rows and judges on the test rows. With the first seed it also tunes on one part of the training
// rows and judges on the other. Returns {"test_error", "validation_error" (of the first seed), "seconds", "model"}.
absl::StatusOr<nlohmann::json> TuneAndTest(Workbench& bench, const std::string& name, const ModelBundle& model,
                                           const Tuning& how, const Parts& parts, int seed);

// Layers that learn without labels, each on the one below, and are then fine-tuned.
struct TunedNetwork {
  std::string label;        // of its models
  std::string first_label;  // of the first layer's, which tables share
  v1::JobSpec job;
  int layers = 1;
};

// Trains the network and tunes it in each way. Adds the test errors to as many rows of the report's last table, from
// `first_row` on, and publishes. Layers from the second on learn at a tenth of the job's rate: codes are larger than
// pixels.
absl::Status MeasureTunedNetwork(Workbench& bench, const TunedNetwork& network, absl::Span<const Tuning> ways,
                                 const Parts& parts, int seed, size_t first_row, Report* report);

}  // namespace kwta
