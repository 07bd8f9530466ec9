// The directories in which jobs work: what stays of them and what goes.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kwta::server {

// Names of files in a job's directory.
inline constexpr char kTrainerLogName[] = "trainer.log";
inline constexpr char kBundleName[] = "bundle";

// What is kept when a job's directory is cleared.
enum class Keep {
  kNothing,   // the directory goes
  kLog,       // of a job that failed, if there is one
  kResults,   // the log, and the bundle that could not be published
  kProgress,  // all but temporary files: the job goes on
};

// Clears the directory of a job. What cannot be removed stays for the next start. Gives the paths that were removed.
std::vector<std::string> ClearJobDirectory(const std::string& directory, Keep keep);

}  // namespace kwta::server
