// Completion of a program's commands, options and values in shells, from its table of options.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace kwta::command_line {

// The shells there are scripts for: "bash", "fish", "zsh".
const std::vector<std::string>& Shells();

// Returns a script for `shell`, one of Shells(). It completes commands, options, their choices and the names of files.
std::string Completion(const CLI::App& app, const std::string& shell);

}  // namespace kwta::command_line
