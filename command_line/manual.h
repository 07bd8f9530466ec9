// Manual pages in the form that man(1) reads, from a program's table of options.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace kwta::command_line {

struct ManualPage {
  std::string name;  // "kwta-models-load", of the file kwta-models-load.1
  std::string text;
};

// Returns a page for the program and for each command. `version` is "kwta 0.1.0"; `section` is that of the manual, 1
// for users and 8 for operators. `see_also` are further pages, "kwta-server(8)".
std::vector<ManualPage> ManualPages(const CLI::App& app, const std::string& version, int section,
                                    const std::vector<std::string>& see_also);

}  // namespace kwta::command_line
