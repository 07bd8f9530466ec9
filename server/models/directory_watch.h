// Tells when something happens in a directory of models.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kwta::server {

// Watches the directory, those in it and those in them by inotify. What other machines do to a network file system does
// not show: whoever waits also looks by himself now and then. One thread waits; Stop may be called from any.
class DirectoryWatch {
 public:
  // Errors: UNAVAILABLE (no descriptors left).
  static absl::StatusOr<std::unique_ptr<DirectoryWatch>> Open(const std::string& directory);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Returns when something happened since the last call returned, or after `most`. False once Stop was called.
  bool Wait(absl::Duration most);
  void Stop();

 private:
  DirectoryWatch(std::string directory, int events, int stop)
      : directory_(std::move(directory)), events_(events), stop_(stop) {}
  // Directories that are new are watched too.
  void AddDirectories();

  const std::string directory_;
  const int events_;  // descriptor of inotify; -1 if there is none
  const int stop_;
};

}  // namespace kwta::server
