// Selects a version of a model and rows on this machine, for the commands that send rows to a model.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/cli/input_rows.h"
#include "client/encode_types.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client::cli {

// Adds --model, --version and --label. They set *model, and the version and label of `settings`.
void AddModelOptions(CLI::App& app, std::string* model, EncodeSettings* settings);

// Returns the version that calls with `settings` reach: that of its number or of its label, else the one that serves.
// Errors: NOT_FOUND (no such version or label), FAILED_PRECONDITION (no version serves).
absl::StatusOr<v1::ModelVersion> ChosenVersion(const v1::Model& model, const EncodeSettings& settings);

struct ModelInput {
  std::string model;
  std::string input;  // a file; empty: `data`
  LocalDataset data;
  EncodeSettings settings;

  // True if the options name rows.
  bool named() const;
  absl::StatusOr<Dataset> Load() const;
};

// Adds --model, --version, --label, --input, --data and its related options. `help` explains the file of --input.
void AddModelInputOptions(CLI::App& app, const char* help, ModelInput* input);

// Throws CLI::RequiredError if the options name no rows.
void RequireRows(const ModelInput& input);

}  // namespace kwta::client::cli
