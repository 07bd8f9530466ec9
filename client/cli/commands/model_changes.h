// The subcommands of `kwta models` that change what is served.
#pragma once

#include "client/cli/command.h"

namespace kwta::client::cli {

// Adds load, unload, label and rollback to `models`.
void AddModelChanges(CLI::App& models, Action* action);

}  // namespace kwta::client::cli
