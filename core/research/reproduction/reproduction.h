// The papers' tables and figures, computed anew on real data: trains through Train, measures through Encoder and
// LinearProbe, and writes a report with the papers' values beside what came out.
//   Makhzani & Frey, "k-Sparse Autoencoders", ICLR 2014
//   Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", 2014
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta {

struct ReproductionOptions {
  // One of ReproducibleTables().
  std::string table;
  // Searched for data sets; see DatasetOptions.
  std::vector<std::string> data_directories;
  // Gets TABLE.html and TABLE.json, written anew after each measurement, and keeps in state/ what is finished: a run
  // that was interrupted goes on from there, and neither this nor another table measures or trains again what was
  // measured or trained with the same settings. Made if it is not there. For one call at a time.
  std::string output_directory;
  // A few minutes at most, on a part of the data: says whether the order of the results is the papers', not how good
  // they are. Takes Fashion-MNIST where there is no MNIST.
  bool quick = false;
  // Runs of each measurement; 0: 3, or 1 if quick.
  int seeds = 0;
  // 0: every processor this process may use.
  int threads = 0;
  // Called with what is being done and the fraction of it that is; from one thread at a time. May be empty.
  std::function<void(const std::string& stage, double fraction)> progress;
  // Reproduce stops soon after this becomes true. May be null.
  const std::atomic<bool>* stop = nullptr;
};

struct Reproduction {
  std::string html_path, json_path;
  // The tables as text.
  std::string summary;
  // What the papers claim of the order of the results, as far as it did not come out.
  std::vector<std::string> broken_claims;
};

struct ReproducibleTable {
  absl::string_view name;
  absl::string_view description;
};

// What can be reproduced.
std::vector<ReproducibleTable> ReproducibleTables();

// Computes the table and writes the report. Hyperparameters are chosen on validation rows, which are a part of the
// training rows; the test rows are looked at once for each measurement, with what was chosen. Errors: NOT_FOUND (no
// such table, data that are not there), INVALID_ARGUMENT (options out of range), CANCELLED (stopped; a further call
// goes on), and what training and the file system give.
absl::StatusOr<Reproduction> Reproduce(const ReproductionOptions& options);

}  // namespace kwta
