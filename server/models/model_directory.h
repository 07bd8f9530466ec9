// Models on disk: DIRECTORY/<name>/<version>/ is a bundle, DIRECTORY/<name>/last_version the highest version ever
// given, so that a version is never used twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

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
  // The next version of `name`. It is never given again once Install succeeded.
  absl::StatusOr<uint64_t> NextVersion(const std::string& name) const;
  // Renames the bundle at `source`, of the same file system, to be `version` of `name`.
  absl::Status Install(const std::string& source, const std::string& name, uint64_t version);
  absl::Status Remove(const std::string& name, uint64_t version);

 private:
  absl::Status RecordVersion(const std::string& name, uint64_t version);

  const std::string directory_;
};

}  // namespace kwta::server
