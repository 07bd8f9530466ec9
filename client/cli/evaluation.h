// Measures through the service how good a model's codes are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/input_rows.h"
#include "client/cli/terminal/stage_progress.h"
#include "client/client.h"
#include "core/evaluation/linear_probe.h"

namespace kwta::client::cli {

struct EvaluationOptions {
  std::string model;
  LocalDataset data;        // reference.split is the part to evaluate on: TEST or VALIDATION.
  EncodeSettings settings;  // Its version or label, and its options.
  ProbeLoss classifier = ProbeLoss::kSoftmax;
  bool pixels = true;  // Compare with raw pixels.
};

// The result of a probe on some features.
struct ProbeResult {
  double error = 0;             // Fraction of the evaluation rows classified wrongly.
  double validation_error = 0;  // Of the training rows that chose l2 and epochs.
  double l2 = 0;
  int epochs = 0;
};

struct EvaluationReport {
  v1::ModelVersion model;
  bool dense_codes = false;
  bool takes_k = false;  // Callers may choose how many activities a code keeps.
  int64_t training_rows = 0;
  int64_t evaluation_rows = 0;
  ProbeResult codes;
  std::optional<ProbeResult> pixels;
  // For fine-tuned models: the fraction of the evaluation rows that the model's own classifier gets wrong.
  std::optional<double> own_classifier_error;
  // Over the evaluation rows, encoded as requested and with alpha = 1. The decoder was trained for alpha = 1. Models
  // that keep every activity take no alpha and reconstruct as they were trained to.
  // Not set for models with preprocessing steps, whose preprocessed rows stay on the server, or for fine-tuned models.
  std::optional<double> fraction_variance_unexplained;
  std::optional<double> fraction_variance_unexplained_alpha_1;
  double l0 = 0;  // Over the evaluation rows, encoded as requested.
  // Over the training rows: the mean fraction of the units that are active, and the units that never are.
  double activation_fraction = 0;
  int64_t dead_units = 0;
  std::optional<int64_t> dead_units_alpha_1;
  double encode_rows_per_second = 0;  // Over the wire; training rows, encoded as requested.
  std::string http_address;
  bool http_tls = false;
};

// Encodes the training rows and the evaluation rows, trains a probe on the training codes and counts its errors on the
// evaluation codes. A part of the training rows chooses regularisation and epochs (core/evaluation/linear_probe.h); the
// evaluation rows never do. Errors: INVALID_ARGUMENT for data without labels, and those of the service and the files.
absl::StatusOr<EvaluationReport> Evaluate(Client& client, const EvaluationOptions& options, StageProgress& progress);

}  // namespace kwta::client::cli
