// One process at a time, for files that are read, changed and written again.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace kwta {

// Held while it lives, by advisory lock on a directory: it leaves no file behind, and a process that dies frees it.
// Movable; not thread-safe. Two threads of a process exclude each other, too.
class DirectoryLock {
 public:
  // Of the directory that `file` is in; waits until nobody else has it. Errors: as core/files/files.h says.
  static absl::StatusOr<DirectoryLock> Around(const std::string& file);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace kwta
