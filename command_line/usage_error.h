// Says in plain words what is wrong with a command line that CLI11 refused.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace kwta::command_line {

// Parses the words behind the program's name. CLI11 lets exceptions of the standard library through where a flag with a
// negative form has a value that is neither true nor false; this throws CLI::ConversionError in their place.
void Parse(CLI::App& app, const std::vector<std::string>& words);

// Returns what is wrong, after Parse has thrown `error`. `named` is the command that was named last: the program itself
// or one of its commands. Words without an option that ask for a command which there is not are the caller's.
std::string UsageErrorText(const CLI::App& named, const std::vector<std::string>& words, const CLI::ParseError& error);

}  // namespace kwta::command_line
