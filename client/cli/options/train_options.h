// The options of `kwta train`.
#pragma once

#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "kwta/v1/service.pb.h"

namespace kwta::client::cli {

struct TrainOptions {
  v1::TrainRequest request;
  bool watch = false;

  // The options given for the encoder: its kind, and a spec of each kind, by name. Parsing puts one of these into the
  // request.
  std::string encoder;
  std::map<std::string, v1::EncoderSpec> encoders;

  bool fine_tune = false;
  v1::FineTuningSpec fine_tuning;
};

// Parsing fills *options, which must outlive it. It refuses options that belong to another kind of encoder than the
// chosen one.
void AddTrainOptions(CLI::App& app, TrainOptions* options);

}  // namespace kwta::client::cli
