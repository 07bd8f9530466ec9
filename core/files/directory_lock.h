// Lets one process at a time read, change and rewrite a file.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace kwta {

// Holds an advisory lock on a directory during its lifetime. It leaves no file behind, and a process that dies frees
// it. Movable; not thread-safe. Two threads of a process exclude each other, too.
class DirectoryLock {
 public:
  // Locks the directory of `file`. Waits until nobody else holds it. Errors: see core/files/files.h.
  static absl::StatusOr<DirectoryLock> Around(const std::string& file);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace kwta
