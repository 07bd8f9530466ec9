// How well a linear classifier does on features, with the choices made on validation rows.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/evaluation/linear_probe.h"
#include "core/research/reproduction/workbench.h"

namespace kwta {

// One of several competing features, such as codes with one alpha.
struct FeatureChoice {
  std::string name;
  std::function<absl::StatusOr<Tensor>(const Dataset&)> features;  // [rows, width]
};

// Features of training rows that one plan leaves to the next, which reuses them if they fit.
struct KeptFeatures {
  std::string key;  // what they depend on, as JSON
  bool mirrored = false;
  std::optional<Tensor> features;
};

struct ClassificationPlan {
  std::string label;                  // for progress
  nlohmann::json key;                 // what the features depend on
  const Dataset* training = nullptr;  // includes the validation rows
  const Dataset* test = nullptr;
  // If true, classifiers are also fitted to the mirror images of the training images; the features are then those of
  // WithMirrorImages. Validation and test images are judged unmirrored.
  bool mirrored = false;
  std::vector<FeatureChoice> choices;
  std::shared_ptr<KeptFeatures> kept;      // null: features are freed with the plan
  std::vector<LinearProbeOptions> probes;  // these compete, each with the grid
  ProbeGrid grid;
};

// Chooses features, probe and grid value by the error on the grid's validation rows, fits on all training rows with
// these choices and counts the errors on the test rows. Returns {"test_error", "validation_error" (both percentages),
// "features", "loss", "scaling", "l2", "dropout", "epochs", "candidates" (every choice of features and probe with its
// validation error), "seconds"}.
absl::StatusOr<nlohmann::json> Classify(Workbench& bench, const ClassificationPlan& plan);

}  // namespace kwta
