// Which model, and which rows of this machine: what the commands have in common that send rows to a model.
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

  // Whether rows are named at all.
  bool named() const;
  absl::StatusOr<Dataset> Load() const;
};

// Adds --model, --version, --label, --input, --data and what goes with it. `help` says what the file of --input is for.
void AddModelInputOptions(CLI::App& app, const char* help, ModelInput* input);

// Throws CLI::RequiredError if no rows are named.
void RequireRows(const ModelInput& input);

}  // namespace kwta::client::cli
