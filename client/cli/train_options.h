// The options of `kwta train`.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "kwta/v1/service.pb.h"

namespace kwta::client::cli {

struct TrainOptions {
  v1::TrainRequest request;
  bool watch = false;

  // What was said of the encoder, of which parsing puts one into the request.
  std::string encoder = "k-sparse";
  v1::KSparseSpec k_sparse;
  v1::WinnerTakeAllSpec winner_take_all;

  bool fine_tune = false;
  v1::FineTuningSpec fine_tuning;
};

// Parsing fills *options, which must outlive it. Options of another kind of encoder than the one chosen are refused.
void AddTrainOptions(CLI::App& app, TrainOptions* options);

}  // namespace kwta::client::cli
