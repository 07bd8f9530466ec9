// Computes the papers' tables and figures anew on real data. It trains through Train, measures through Encoder and
// LinearProbe, and writes a report that compares the results with the papers' values.
//   Makhzani & Frey, "k-Sparse Autoencoders", ICLR 2014
//   Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", 2014
//   Arpit, Zhou, Ngo & Govindaraju, "Why Regularized Auto-Encoders Learn Sparse Representation?", 2016
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
  // Where to search for data sets; see DatasetOptions.
  std::vector<std::string> data_directories;
  // Holds TABLE.html and TABLE.json, rewritten after each measurement, and finished work in state/. An interrupted run
  // resumes from there. No table trains or measures again what some table finished with the same settings. Created if
  // missing. Only one call at a time may use it.
  std::string output_directory;
  // A few minutes at most, on a part of the data: shows whether the results have the papers' order, not how good they
  // are. Uses Fashion-MNIST where there is no MNIST.
  bool quick = false;
  // Runs per measurement; 0: 3, or 1 if quick.
  int seeds = 0;
  // Limits the figures arpit-fig1 to arpit-fig5 to the trainings whose name matches one of these patterns of the shell,
  // whatever the case: "mnist*", "*, DAE, *seed 1". Names: "mnist, ReLU, unit length, DAE, sigma^2 = 0.01, seed 1", and
  // "theorem 3". The report has what earlier runs left in state/ besides, and is unfinished if that is not all. Empty:
  // everything.
  std::vector<std::string> only;
  // Of these figures: computes nothing, and writes the report anew with what earlier runs left in state/.
  bool report_only = false;
  // 0: every processor this process may use.
  int threads = 0;
  // Called with the current stage and the finished fraction of it, from one thread at a time. May be empty.
  std::function<void(const std::string& stage, double fraction)> progress;
  // Reproduce stops soon after this becomes true. May be null.
  const std::atomic<bool>* stop = nullptr;
};

struct Reproduction {
  std::string html_path, json_path;
  // The tables as text.
  std::string summary;
  // The papers' claims on the order of the results that this run does not confirm.
  std::vector<std::string> broken_claims;
};

struct ReproducibleTable {
  absl::string_view name;
  absl::string_view description;
};

// The tables that can be reproduced.
std::vector<ReproducibleTable> ReproducibleTables();

// Computes the table and writes the report. Validation rows, a part of the training rows, decide hyperparameters. Each
// measurement looks at the test rows once, with the chosen hyperparameters. Errors: NOT_FOUND (no such table, missing
// data, nothing in state/ to report), INVALID_ARGUMENT (options out of range, a pattern that no training's name
// matches), CANCELLED (stopped; another call resumes), and those of training and the file system.
absl::StatusOr<Reproduction> Reproduce(const ReproductionOptions& options);

}  // namespace kwta
