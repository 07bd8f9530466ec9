// The directory where a server keeps everything, locked so that only one server uses it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::server {

// Holds the directory's lock as long as it exists. Immutable.
class StateDirectory {
 public:
  // Creates `path` and its subdirectories if they are missing, and locks it. Makes its contents accessible only to its
  // user, even if they existed and others could read them.
  // Errors: PERMISSION_DENIED (not writable), FAILED_PRECONDITION (another server uses it), UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<StateDirectory>> Open(const std::string& path);
  // Checks whether Open could succeed, without creating anything. Errors: PERMISSION_DENIED, UNAVAILABLE.
  static absl::Status Check(const std::string& path);
  ~StateDirectory();
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string models() const { return path_ + "/models"; }
  std::string jobs() const { return path_ + "/jobs"; }
  std::string datasets() const { return path_ + "/datasets"; }
  std::string database() const { return path_ + "/kwta.db"; }

 private:
  StateDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;  // absolute
  const int lock_;
};

}  // namespace kwta::server
