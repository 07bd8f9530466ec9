// The whole command line: what there is, and how it is read.
#pragma once

#include <memory>

#include "CLI/CLI.hpp"
#include "client/cli/command.h"

namespace kwta::client::cli {

// Parsing it sets *global and *action. Both must outlive the parsing.
std::unique_ptr<CLI::App> BuildCommandLine(GlobalOptions* global, Action* action);

// Reads the arguments of main and does what they ask for. What is wrong with them is reported, with what may have been
// meant.
ExitCode RunCommandLine(int argc, const char* const* argv);

}  // namespace kwta::client::cli
