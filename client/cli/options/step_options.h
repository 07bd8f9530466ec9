// The options of `kwta train` that describe the preprocessing of rows.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "kwta/v1/encoder.pb.h"

namespace kwta::client::cli {

// Adds --step and --row-shape. `spec` must outlive the parsing.
void AddStepOptions(CLI::App& app, const char* group, v1::PreprocessingSpec* spec);

// Parses NAME[:FIELD=VALUE,...], with the names of encoder.proto, in which '-' may replace '_': "grey",
// "crop:height=64,width=64". Throws CLI::ValidationError.
v1::PreprocessingStep ParseStep(const std::string& text);

}  // namespace kwta::client::cli
