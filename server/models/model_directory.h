// Models on disk: DIRECTORY/<name>/<version>/ is a bundle, DIRECTORY/<name>/last_version the highest version ever
// given, so that a version is never used twice, and DIRECTORY/<name>/labels.json its labels. A version is written as
// digits, without a sign and without a zero in front. Several servers may share the directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Not thread-safe. Errors are those of the file system: PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), UNAVAILABLE;
// DATA_LOSS if last_version is not a version.
class ModelDirectory {
 public:
  explicit ModelDirectory(std::string directory) : directory_(std::move(directory)) {}

  struct Entry {
    std::string name;
    std::vector<uint64_t> versions;  // ascending; may be empty
    // What stands there and cannot be used, with the reason: a directory that is no version, or that cannot be listed.
    std::vector<std::string> problems;
    bool listed = true;  // false: versions may be missing here
  };
  // Errors: only those of the directory itself.
  absl::StatusOr<std::vector<Entry>> Scan() const;

  std::string BundlePath(const std::string& name, uint64_t version) const;
  // Moves the bundle at `source` to be the next version of `name`, which it gives. No number is given twice. If it
  // fails, the bundle may have been moved all the same: VersionOfJob tells, and FinishInstall does the rest. Errors:
  // also OUT_OF_RANGE (there is no number left).
  absl::StatusOr<uint64_t> Install(const std::string& source, const std::string& name);
  // Makes sure that a version which Install has moved stays, and that its number is not given again. May be repeated.
  absl::Status FinishInstall(const std::string& name, uint64_t version);
  // The version of `name` on disk that the job made; 0 if there is none.
  absl::StatusOr<uint64_t> VersionOfJob(const std::string& name, const std::string& job_id) const;
  absl::Status Remove(const std::string& name, uint64_t version);
  // Removes what servers that were killed have left: temporary files and directories, and versions that were being
  // deleted. Of other servers' only what is older than `age`. Gives the paths that were removed.
  std::vector<std::string> RemoveDebris(absl::Duration age);
  // Changes whenever a file of the bundle is written or replaced; empty if one of its files is not there.
  static std::string Fingerprint(const std::string& bundle);

  // No file is no labels. Errors: also DATA_LOSS (not of the form of server/models/model_labels.h).
  absl::StatusOr<ModelLabels> ReadLabels(const std::string& name) const;
  // A reader sees the old labels or the new ones.
  absl::Status WriteLabels(const std::string& name, const ModelLabels& labels);

 private:
  // Errors: also UNAVAILABLE if its directory cannot be listed.
  absl::StatusOr<std::vector<uint64_t>> Versions(const std::string& name) const;
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  absl::Status RecordVersion(const std::string& name, uint64_t version);

  const std::string directory_;
};

}  // namespace kwta::server
