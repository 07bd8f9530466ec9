// Rows that the command line reads itself.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/encode_types.h"
#include "core/io/datasets/dataset.h"

namespace kwta::client::cli {

// A data set on this machine, as options name it.
struct LocalDataset {
  v1::DatasetRef reference;
  std::string directory;  // Searched before the system's own; empty: only that one.

  absl::StatusOr<Dataset> Load() const;
};

// Adds --data and what goes with it, --split for some of "train", "validation" and "test", and --data-dir.
void AddLocalDatasetOptions(CLI::App& app, const std::vector<std::string>& splits, LocalDataset* dataset);

// A local file (.npy, .idx, .idx.gz), anywhere in the file system.
absl::StatusOr<Dataset> LoadFile(const std::string& file);

// A data set for EncodeStream, gathered a piece at a time. The data set must outlive the source.
RowSource SourceOf(const Dataset& dataset);

// All rows in memory, [rows, width]. Errors: those of Dataset::CheckUnchanged.
absl::StatusOr<Tensor> Gathered(const Dataset& dataset);

}  // namespace kwta::client::cli
