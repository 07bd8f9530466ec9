// The directories in which jobs work, and how they are cleared.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

// Names of the files in a job's directory.
inline constexpr char kTrainerLogName[] = "trainer.log";
inline constexpr char kBundleName[] = "bundle";

// What clearing a job's directory keeps.
enum class Keep {
  kNothing,   // the directory itself is removed
  kLog,       // the log of a failed job, if there is one
  kResults,   // the log, and the bundle that could not be published
  kProgress,  // everything but temporary files: the job continues, or another one goes on from its checkpoint
};

// What a failed job keeps in its directory, from the code of its failure: its checkpoint, if it has one, unless the
// checkpoint would lead to the same failure again. Memory, a device, a data set or a trainer may be there next time.
Keep KeepOfFailure(absl::StatusCode code, const std::string& directory);

// Moves the checkpoint of a job that has ended into the directory of another one. Returns false if there is none, or
// the other one has its own.
bool MoveCheckpoint(const std::string& from, const std::string& to);

// Clears a job's directory and returns the paths removed. What cannot be removed stays until the next start.
std::vector<std::string> ClearJobDirectory(const std::string& directory, Keep keep);

}  // namespace kwta::server
