// What a program's CLI11 parser knows of its commands and options, as plain data for those that print it: manual pages
// and completions.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace kwta::command_line {

struct OptionRow {
  // "-h", "--help", "--no-tls"; for an argument without a name the word that stands for it, "MODEL".
  std::vector<std::string> names;
  bool positional = false;
  bool required = false;
  // The word that stands for the value, "NAME|PATH"; empty: takes no value.
  std::string value;
  std::string range;                 // "1 .. 1024", or empty
  std::vector<std::string> choices;  // the only values there are, or none
  bool is_path = false;              // the value is a file or a directory
  std::string group, help, default_value, environment;
};

struct CommandRow {
  std::vector<std::string> path;  // {"kwta", "models", "load"}
  std::string help;
  std::string footer;  // examples and exit codes
  std::vector<OptionRow> options;
};

// Returns the program itself, then its commands, each before its own commands. Leaves out what --help does not show.
std::vector<CommandRow> ListCommands(const CLI::App& app);

// Returns those of `commands` that are right below `command`.
std::vector<const CommandRow*> Children(const std::vector<CommandRow>& commands, const CommandRow& command);

// Returns the first line of an option's or a command's help.
std::string Summary(const std::string& help);

}  // namespace kwta::command_line
