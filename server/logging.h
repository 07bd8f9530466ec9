// The server's log on standard error: one line per event, for people or for programs.
#pragma once

#include <spdlog/formatter.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace kwta::server {

// Formats lines as  2026-01-31 12:00:00.123 info  message key=value ...  or, for json, as objects
// {"time": "2026-01-31T12:00:00.123Z", "level": "info", "message": "...", "key": "value", ...}. Times are UTC.
std::unique_ptr<spdlog::formatter> LogFormatter(bool json);

// Returns a message with fields, to be passed to spdlog unchanged. Fields without a value are omitted.
std::string WithFields(absl::string_view message,
                       std::initializer_list<std::pair<absl::string_view, absl::string_view>> fields);

}  // namespace kwta::server
