// Loads rows that the command line reads itself.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/encode_types.h"
#include "core/io/datasets/dataset.h"

namespace kwta::client::cli {

// A data set on this machine, as the options name it.
struct LocalDataset {
  v1::DatasetRef reference;
  std::string directory;  // Searched before the system's own; empty: only that one.

  absl::StatusOr<Dataset> Load() const;
};

// Adds --data and its related options, --split for some of "train", "validation" and "test", and --data-dir.
void AddLocalDatasetOptions(CLI::App& app, const std::vector<std::string>& splits, LocalDataset* dataset);

// Loads a local file (.npy, .idx, .idx.gz) from anywhere in the file system.
absl::StatusOr<Dataset> LoadFile(const std::string& file);

// Returns a source for EncodeStream that gathers the data set piece by piece. The data set must outlive the source.
RowSource SourceOf(const Dataset& dataset);

// Returns all rows in memory, [rows, width]. Errors: those of Dataset::CheckUnchanged.
absl::StatusOr<Tensor> Gathered(const Dataset& dataset);

}  // namespace kwta::client::cli
