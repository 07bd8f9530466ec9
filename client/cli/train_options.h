// The options of `kwta train`.
#pragma once

#include "CLI/CLI.hpp"
#include "kwta/v1/service.pb.h"

namespace kwta::client::cli {

struct TrainOptions {
  v1::TrainRequest request;
  bool watch = false;
};

// Parsing fills *options, which must outlive it.
void AddTrainOptions(CLI::App& app, TrainOptions* options);

}  // namespace kwta::client::cli
