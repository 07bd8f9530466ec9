// Selects a model and rows on this machine, for the commands that send rows to a model.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/cli/input_rows.h"
#include "client/encode_types.h"

namespace kwta::client::cli {

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
