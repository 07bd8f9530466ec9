#include "server/state_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

absl::Status Failed(const std::string& what, int error) {
  const std::string message =
      absl::StrCat(what, ": ", std::strerror(error), "; name a writable directory with --state-dir");
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDirectory>> StateDirectory::Open(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (error) return Failed(absl::StrCat("state directory '", path, "' cannot be resolved"), error.value());
  for (const char* part : {"", "/models", "/jobs", "/datasets"}) {
    std::filesystem::create_directories(absolute + part, error);
    if (error) return Failed(absl::StrCat("cannot make '", absolute, part, "'"), error.value());
    if (::access((absolute + part).c_str(), R_OK | W_OK | X_OK) != 0) {
      return Failed(absl::StrCat("cannot write to '", absolute, part, "'"), errno);
    }
  }
  const std::string lock_path = absolute + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return Failed(absl::StrCat("cannot open '", lock_path, "'"), errno);
  // A record lock ends with this process, even if it is killed while it starts a trainer: a lock of the open file
  // (flock) would live on in the child until that has closed the server's files.
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(lock, F_SETLK, &whole) != 0) {
    const int reason = errno;
    ::close(lock);
    if (reason != EACCES && reason != EAGAIN) return Failed(absl::StrCat("cannot lock '", lock_path, "'"), reason);
    return absl::FailedPreconditionError(absl::StrCat("another kwta-server uses the state directory '", absolute,
                                                      "'; stop it or give this one its own with --state-dir"));
  }
  return std::unique_ptr<StateDirectory>(new StateDirectory(absolute, lock));
}

StateDirectory::~StateDirectory() { ::close(lock_); }

}  // namespace kwta::server
