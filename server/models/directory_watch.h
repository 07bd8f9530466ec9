// Watches a directory of models for changes.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kwta::server {

// Watches the directory and two levels below it with inotify. Changes that other machines make to a network file system
// do not show, so the waiter must also look now and then. One thread waits; any thread may call Stop.
class DirectoryWatch {
 public:
  // Errors: UNAVAILABLE (no descriptors left).
  static absl::StatusOr<std::unique_ptr<DirectoryWatch>> Open(const std::string& directory);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Returns when something has happened since the last call returned, or after `most`. Returns false once Stop was
  // called.
  bool Wait(absl::Duration most);
  void Stop();

 private:
  DirectoryWatch(std::string directory, int events, int stop)
      : directory_(std::move(directory)), events_(events), stop_(stop) {}
  // Also watches directories that are new.
  void AddDirectories();

  const std::string directory_;
  const int events_;  // inotify's descriptor; -1 if there is none
  const int stop_;
};

}  // namespace kwta::server
