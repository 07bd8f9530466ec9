// Defines and parses the whole command line.
#pragma once

#include <memory>

#include "CLI/CLI.hpp"
#include "client/cli/command.h"

namespace kwta::client::cli {

// Parsing it sets *global and *action. Both must outlive the parsing.
std::unique_ptr<CLI::App> BuildCommandLine(GlobalOptions* global, Action* action);

// Parses the arguments of main and does what they request. Reports errors in them, with suggestions.
ExitCode RunCommandLine(int argc, const char* const* argv);

}  // namespace kwta::client::cli
