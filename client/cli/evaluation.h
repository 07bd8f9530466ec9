// How good a model's codes are, measured through the service.
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
  LocalDataset data;  // reference.split is the part to evaluate on: TEST or VALIDATION.
  v1::EncodeOptions encode;
  ProbeLoss classifier = ProbeLoss::kSoftmax;
  bool pixels = true;  // Compare with raw pixels.
};

// A probe on some features.
struct ProbeResult {
  double error = 0;             // Fraction of the evaluation rows classified wrongly.
  double validation_error = 0;  // Of the training rows that l2 and epochs were chosen on.
  double l2 = 0;
  int epochs = 0;
};

struct EvaluationReport {
  v1::ModelVersion model;
  bool dense_codes = false;
  int64_t training_rows = 0;
  int64_t evaluation_rows = 0;
  ProbeResult codes;
  std::optional<ProbeResult> pixels;
  // Of a model that was fine-tuned: fraction of the evaluation rows that its own classifier gets wrong.
  std::optional<double> own_classifier_error;
  // Over the evaluation rows, encoded as asked for and with alpha = 1. The decoder was trained for the latter. Models
  // with dense codes take no alpha: they reconstruct as they were trained to.
  // Not set for models with preprocessing steps, whose own rows do not travel, and for those that were fine-tuned.
  std::optional<double> fraction_variance_unexplained;
  std::optional<double> fraction_variance_unexplained_alpha_1;
  double l0 = 0;  // Over the evaluation rows, encoded as asked for.
  // In no code of the training rows.
  int64_t dead_units = 0;
  std::optional<int64_t> dead_units_alpha_1;
  double encode_rows_per_second = 0;  // Over the wire, training rows as asked for.
  std::string http_address;
  bool http_tls = false;
};

// Encodes the training rows and the evaluation rows, trains a probe on the codes of the former and counts its errors on
// the latter. Regularisation and epochs are chosen on a part of the training rows (core/evaluation/linear_probe.h),
// never on the evaluation rows. Errors: INVALID_ARGUMENT for data without labels, and what the service and the files
// give.
absl::StatusOr<EvaluationReport> Evaluate(Client& client, const EvaluationOptions& options, StageProgress& progress);

}  // namespace kwta::client::cli
