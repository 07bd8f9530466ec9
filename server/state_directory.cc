#include "server/state_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

absl::Status Failed(const std::string& what, int error) {
  const std::string message =
      absl::StrCat(what, ": ", std::strerror(error), "; name a writable directory with --state-dir");
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

constexpr const char* kParts[] = {"", "/models", "/jobs", "/datasets"};
constexpr mode_t kPrivateDirectory = S_IRWXU;
constexpr mode_t kPrivateFile = S_IRUSR | S_IWUSR;

absl::StatusOr<std::string> Absolute(const std::string& path) {
  std::error_code error;
  std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (error) return Failed(absl::StrCat("state directory '", path, "' cannot be resolved"), error.value());
  return absolute;
}

absl::Status CheckUsable(const std::string& directory) {
  struct stat about = {};
  if (::stat(directory.c_str(), &about) == 0 && !S_ISDIR(about.st_mode)) {
    return Failed(absl::StrCat("cannot make '", directory, "'"), ENOTDIR);
  }
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) == 0) return absl::OkStatus();
  return Failed(absl::StrCat("cannot write to '", directory, "'"), errno);
}

// Removes other users' rights to `path`, if it exists and is ours. A directory of another user stays as open as its
// owner made it.
void MakePrivate(const std::string& path, mode_t mode) {
  struct stat about = {};
  if (::lstat(path.c_str(), &about) != 0 || S_ISLNK(about.st_mode)) return;
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) ::chmod(path.c_str(), mode);
}

}  // namespace

absl::Status StateDirectory::Check(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(const std::string absolute, Absolute(path));
  for (const char* part : kParts) {
    if (::access((absolute + part).c_str(), F_OK) == 0) KWTA_RETURN_IF_ERROR(CheckUsable(absolute + part));
  }
  // A missing directory would be created in the nearest existing directory above it.
  std::filesystem::path above = absolute;
  while (::access(above.c_str(), F_OK) != 0 && errno == ENOENT && above.has_relative_path())
    above = above.parent_path();
  return CheckUsable(above.string());
}

absl::StatusOr<std::unique_ptr<StateDirectory>> StateDirectory::Open(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(const std::string absolute, Absolute(path));
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(absolute).parent_path(), error);
  if (error) return Failed(absl::StrCat("cannot make the directories above '", absolute, "'"), error.value());
  for (const char* part : kParts) {
    const std::string directory = absolute + part;
    if (::mkdir(directory.c_str(), kPrivateDirectory) != 0 && errno != EEXIST) {
      return Failed(absl::StrCat("cannot make '", directory, "'"), errno);
    }
    KWTA_RETURN_IF_ERROR(CheckUsable(directory));
    MakePrivate(directory, kPrivateDirectory);
  }
  for (const char* file : {"/kwta.db", "/kwta.db-wal", "/kwta.db-shm", "/lock"}) {
    MakePrivate(absolute + file, kPrivateFile);
  }
  const std::string lock_path = absolute + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile);
  if (lock < 0) return Failed(absl::StrCat("cannot open '", lock_path, "'"), errno);
  // A record lock ends with this process, even if the process is killed while it starts a trainer. A lock of the open
  // file (flock) would live on in the child until the child has closed the server's files.
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
