#include "server/models/directory_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "core/files/files.h"

namespace kwta::server {
namespace {

constexpr uint32_t kChanges = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR;
// Covers models and their versions.
constexpr int kDepth = 2;

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryWatch>> DirectoryWatch::Open(const std::string& directory) {
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  if (stop < 0) return FileError(errno, "watch", directory);
  // A user has a limited number of inotify instances. Without one, looking now and then must do.
  const int events = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  std::unique_ptr<DirectoryWatch> watch(new DirectoryWatch(directory, events, stop));
  watch->AddDirectories();
  return watch;
}

DirectoryWatch::~DirectoryWatch() {
  if (events_ >= 0) ::close(events_);
  ::close(stop_);
}

void DirectoryWatch::AddDirectories() {
  if (events_ < 0) return;
  ::inotify_add_watch(events_, directory_.c_str(), kChanges);
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::recursive_directory_iterator each(directory_, error), end; !error && each != end; each.increment(error)) {
    std::error_code ignored;
    if (!each->is_directory(ignored)) continue;
    // Adding a directory again does nothing.
    ::inotify_add_watch(events_, each->path().c_str(), kChanges);
    if (each.depth() + 1 >= kDepth) each.disable_recursion_pending();
  }
}

bool DirectoryWatch::Wait(absl::Duration most) {
  pollfd descriptors[] = {{stop_, POLLIN, 0}, {events_, POLLIN, 0}};
  const int64_t milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(most), 1, 1 << 30);
  ::poll(descriptors, events_ >= 0 ? 2 : 1, static_cast<int>(milliseconds));
  if (descriptors[0].revents != 0) return false;
  char block[4096];
  while (events_ >= 0 && ::read(events_, block, sizeof(block)) > 0) {
  }
  AddDirectories();
  return true;
}

void DirectoryWatch::Stop() {
  const uint64_t one = 1;
  // Cannot fail: the counter is far from full.
  [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof(one));
}

}  // namespace kwta::server
