// Parses the file named by --config, which sets values of the server's flags.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

struct OptionsFileEntry {
  std::string key;
  std::vector<std::string> values;  // one value, unless it is an array
  bool is_array = false;
  int line = 0;
};

// Reads lines  key = value  in TOML's form: strings in double quotes with escapes, or in single quotes without; whole
// numbers with '_' between digits; true and false; arrays, which may span lines. '#' outside quotes begins a comment.
// As in INI files, an unquoted value that is none of these is taken literally, up to the end of the line or to a '#'
// after a blank, without the surrounding blanks.
// Errors: INVALID_ARGUMENT with the line: no key or value, a quote or bracket that does not end, something after a
// value, a section, an unknown escape, a number with a leading zero, a duplicate key.
absl::StatusOr<std::vector<OptionsFileEntry>> ParseOptionsFile(absl::string_view text);

}  // namespace kwta::server
