// Models on disk: DIRECTORY/<name>/<version>/ is a bundle, DIRECTORY/<name>/last_version the highest version ever
// given, so that a version is never used twice, and DIRECTORY/<name>/labels.json its labels. Several servers may share
// the directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Not thread-safe. Errors are those of the file system: PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), UNAVAILABLE;
// DATA_LOSS if last_version is not a number.
class ModelDirectory {
 public:
  explicit ModelDirectory(std::string directory) : directory_(std::move(directory)) {}

  struct Entry {
    std::string name;
    std::vector<uint64_t> versions;  // ascending; may be empty
  };
  absl::StatusOr<std::vector<Entry>> Scan() const;

  std::string BundlePath(const std::string& name, uint64_t version) const;
  // Moves the bundle at `source` to be the next version of `name`, which it gives. No number is given twice.
  absl::StatusOr<uint64_t> Install(const std::string& source, const std::string& name);
  absl::Status Remove(const std::string& name, uint64_t version);
  // Changes whenever a file of the bundle is written or replaced; empty if one of its files is not there.
  static std::string Fingerprint(const std::string& bundle);

  // No file is no labels. Errors: also DATA_LOSS (not of the form of server/models/model_labels.h).
  absl::StatusOr<ModelLabels> ReadLabels(const std::string& name) const;
  // A reader sees the old labels or the new ones.
  absl::Status WriteLabels(const std::string& name, const ModelLabels& labels);

 private:
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  absl::Status RecordVersion(const std::string& name, uint64_t version);

  const std::string directory_;
};

}  // namespace kwta::server
