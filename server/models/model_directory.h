// Models on disk. DIRECTORY/<name>/<version>/ is a bundle. DIRECTORY/<name>/last_version holds the highest version ever
// assigned, so that no version is used twice. DIRECTORY/<name>/labels.json holds the labels. A version is written in
// digits, without a sign or a leading zero. Several servers may share the directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Not thread-safe. Every method can fail with the errors of the file system: PERMISSION_DENIED, RESOURCE_EXHAUSTED
// (disk full), UNAVAILABLE; and with DATA_LOSS if last_version is not a version.
class ModelDirectory {
 public:
  explicit ModelDirectory(std::string directory) : directory_(std::move(directory)) {}

  struct Entry {
    std::string name;
    std::vector<uint64_t> versions;  // ascending; may be empty
    // What cannot be used, with the reason: a directory that is not a version, that cannot be listed, or whose name
    // no model can have.
    std::vector<std::string> problems;
    bool listed = true;  // false: `versions` may be incomplete
  };
  // Errors: only those of the directory itself.
  absl::StatusOr<std::vector<Entry>> Scan() const;

  std::string BundlePath(const std::string& name, uint64_t version) const;
  // Moves the bundle at `source` to be the next version of `name` and returns that version. No number is assigned
  // twice. After an error the bundle may still have been moved: VersionOfJob tells, and FinishInstall completes the
  // rest. Errors: also OUT_OF_RANGE (no number is left).
  absl::StatusOr<uint64_t> Install(const std::string& source, const std::string& name);
  // Makes sure that a version which Install has moved persists and that its number is not assigned again. May be
  // repeated.
  absl::Status FinishInstall(const std::string& name, uint64_t version);
  // Returns the version of `name` on disk that the job made; 0 if there is none.
  absl::StatusOr<uint64_t> VersionOfJob(const std::string& name, const std::string& job_id) const;
  absl::Status Remove(const std::string& name, uint64_t version);
  // Removes what killed servers left behind: temporary files and directories, and versions whose deletion had begun. Of
  // other servers' files, removes only those older than `age`. Returns the paths removed.
  std::vector<std::string> RemoveDebris(absl::Duration age);
  // Returns a value that changes whenever a file of the bundle is written or replaced; empty if a file is missing.
  static std::string Fingerprint(const std::string& bundle);

  // A missing file means no labels. Errors: also DATA_LOSS (not in the format of server/models/model_labels.h).
  absl::StatusOr<ModelLabels> ReadLabels(const std::string& name) const;
  // A reader sees either the old labels or the new ones.
  absl::Status WriteLabels(const std::string& name, const ModelLabels& labels);

 private:
  // Errors: also UNAVAILABLE if its directory cannot be listed.
  absl::StatusOr<std::vector<uint64_t>> Versions(const std::string& name) const;
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  absl::Status RecordVersion(const std::string& name, uint64_t version);

  const std::string directory_;
};

}  // namespace kwta::server
