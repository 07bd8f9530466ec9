#include "core/files/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// The most that one system call moves (Linux's own limit is a little below 2 GiB).
constexpr size_t kMaxTransfer = size_t{1} << 30;

std::string ParentDirectory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Makes a rename in `directory` survive a power failure.
absl::Status SyncDirectory(const std::string& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return FileError(errno, "open", directory);
  // EINVAL means that the file system does not sync directories and need not.
  const int error = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  close(descriptor);
  return error == 0 ? absl::OkStatus() : FileError(error, "sync", directory);
}

absl::Status CheckNamesFile(const std::string& path) {
  if (!std::filesystem::path(path).filename().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' names no file"));
}

// Calls create(name), which returns false with errno set, for names beside `path` until one is new.
template <typename Create>
absl::StatusOr<std::string> CreateTemporary(const std::string& path, Create create) {
  const std::filesystem::path target(path);
  const std::string directory = ParentDirectory(path);
  KWTA_RETURN_IF_ERROR(CheckNamesFile(path));
  constexpr int kAttempts = 10000;
  // The temporary name is longer. A cut name leaves room for it within what the system takes.
  constexpr size_t kMostOfName = 200;
  const std::string most_of_name = target.filename().string().substr(0, kMostOfName);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name =
        absl::StrCat(directory, "/.", most_of_name, ".tmp-", static_cast<int64_t>(getpid()), "-", attempt);
    if (create(name)) return name;
    if (errno != EEXIST) return FileError(errno, "write", path);
  }
  return absl::UnavailableError(
      absl::StrCat("cannot write '", path, "': too many temporary files beside it; remove '.*.tmp-*' in ", directory));
}

// Gives the new file at `descriptor` the owner, group and permissions of the file that it replaces. Only root may give
// files away. Otherwise the owner changes, as it does when an editor saves.
absl::Status TakeOver(const struct stat& replaced, int descriptor, const std::string& path) {
  mode_t mode = replaced.st_mode & 0777;
  if (fchown(descriptor, replaced.st_uid, replaced.st_gid) != 0) {
    // Another group must not gain the old group's permissions.
    const bool group = fchown(descriptor, static_cast<uid_t>(-1), replaced.st_gid) == 0;
    if (!group) mode &= ~static_cast<mode_t>(S_IRWXG);
  }
  return fchmod(descriptor, mode) == 0 ? absl::OkStatus() : FileError(errno, "write", path);
}

// Follows links and returns what is at `path`, or nullopt if there is nothing. The system refuses links that others
// planted in a world-writable directory.
absl::StatusOr<std::optional<struct stat>> Existing(const std::string& path) {
  const int descriptor = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return std::optional<struct stat>();
  if (descriptor < 0) return FileError(errno, "write", path);
  struct stat about;
  const int error = fstat(descriptor, &about) == 0 ? 0 : errno;
  close(descriptor);
  if (error != 0) return FileError(error, "write", path);
  if (S_ISDIR(about.st_mode)) return FileError(EISDIR, "write", path);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot write '", path, "': it is not a regular file"));
  }
  return std::optional<struct stat>(about);
}

}  // namespace

absl::Status FileError(int error_number, absl::string_view action, absl::string_view path) {
  const std::string message =
      absl::StrCat("cannot ", action, " '", path, "': ", std::generic_category().message(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(message, "; free some space and try again"));
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; free some space, or raise the limit on files ('ulimit -f')"));
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(message);
    case EEXIST:
    case ENOTEMPTY:
      return absl::AlreadyExistsError(message);
    default:
      return absl::UnavailableError(message);
  }
}

InputFile::InputFile(InputFile&& other) noexcept { *this = std::move(other); }

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(modified_seconds_, other.modified_seconds_);
  std::swap(modified_nanoseconds_, other.modified_nanoseconds_);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // Without O_NONBLOCK a named pipe would block here.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return FileError(errno, "open", path);
  InputFile file(path, descriptor);
  struct stat about;
  if (fstat(descriptor, &about) != 0) return FileError(errno, "open", path);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a regular file"));
  }
  file.size_ = static_cast<uint64_t>(about.st_size);
  file.modified_seconds_ = about.st_mtim.tv_sec;
  file.modified_nanoseconds_ = about.st_mtim.tv_nsec;
  return file;
}

absl::Status InputFile::ReadAt(uint64_t offset, void* out, size_t bytes) const {
  char* to = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t got = pread(descriptor_, to, std::min(bytes, kMaxTransfer), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno, "read", path_);
    if (got == 0) {
      KWTA_RETURN_IF_ERROR(CheckUnchanged());
      return absl::DataLossError(absl::StrCat("'", path_, "' ended while it was read"));
    }
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status InputFile::CheckUnchanged() const {
  struct stat about;
  if (fstat(descriptor_, &about) != 0) return FileError(errno, "look at", path_);
  const auto size = static_cast<uint64_t>(about.st_size);
  if (size == size_ && about.st_mtim.tv_sec == modified_seconds_ && about.st_mtim.tv_nsec == modified_nanoseconds_) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "'", path_, "' was changed while it was read (",
      size == size_ ? "it was written to" : absl::StrCat(size, " bytes, ", size_, " at first"),
      "); try again when it is complete, and replace files that may be in use by renaming new ones over them"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes) {
  KWTA_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  if (file.size() > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has ", file.size(), " bytes; at most ", max_bytes, " are accepted"));
  }
  std::string contents(file.size(), '\0');
  KWTA_RETURN_IF_ERROR(file.ReadAt(0, contents.data(), contents.size()));
  KWTA_RETURN_IF_ERROR(file.CheckUnchanged());
  return contents;
}

AtomicFileWriter::AtomicFileWriter(std::string path, std::string temporary, int descriptor)
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

AtomicFileWriter::AtomicFileWriter(AtomicFileWriter&& other) noexcept { *this = std::move(other); }

AtomicFileWriter& AtomicFileWriter::operator=(AtomicFileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

AtomicFileWriter::~AtomicFileWriter() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::StatusOr<std::string> FollowLinks(const std::string& path) {
  constexpr int kMaxLinks = 40;  // Linux's limit
  std::filesystem::path at = path;
  for (int i = 0; i < kMaxLinks; ++i) {
    std::error_code error;
    if (!std::filesystem::is_symlink(at, error)) return at.string();
    const std::filesystem::path target = std::filesystem::read_symlink(at, error);
    if (error) return FileError(error.value(), "follow", path);
    at = at.parent_path() / target;  // just the target if it is absolute
  }
  return FileError(ELOOP, "follow", path);
}

absl::StatusOr<AtomicFileWriter> AtomicFileWriter::Create(const std::string& path, uint32_t mode) {
  KWTA_RETURN_IF_ERROR(CheckNamesFile(path));
  KWTA_ASSIGN_OR_RETURN(const auto replaced, Existing(path));
  KWTA_ASSIGN_OR_RETURN(std::string target, FollowLinks(path));
  int descriptor = -1;
  const mode_t first_mode = replaced ? S_IRUSR | S_IWUSR : static_cast<mode_t>(mode);
  KWTA_ASSIGN_OR_RETURN(std::string temporary, CreateTemporary(target, [&](const std::string& name) {
                          descriptor = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, first_mode);
                          return descriptor >= 0;
                        }));
  AtomicFileWriter writer(std::move(target), std::move(temporary), descriptor);
  if (replaced) KWTA_RETURN_IF_ERROR(TakeOver(*replaced, descriptor, path));
  return writer;
}

absl::Status AtomicFileWriter::Write(const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t wrote = write(descriptor_, from, std::min(bytes, kMaxTransfer));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError(errno, "write", path_);
    from += wrote;
    bytes -= static_cast<size_t>(wrote);
  }
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Commit() {
  if (fsync(descriptor_) != 0) return FileError(errno, "write", path_);
  // Some file systems (NFS) report a full disk only here.
  if (close(std::exchange(descriptor_, -1)) != 0) return FileError(errno, "write", path_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return FileError(errno, "write", path_);
  temporary_.clear();
  return SyncDirectory(ParentDirectory(path_));
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, uint32_t mode) {
  KWTA_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path, mode));
  KWTA_RETURN_IF_ERROR(writer.Write(contents));
  return writer.Commit();
}

absl::Status CheckCanWrite(const std::string& path) { return AtomicFileWriter::Create(path).status(); }

absl::StatusOr<std::string> MakeTemporarySibling(const std::string& path) {
  return CreateTemporary(path, [](const std::string& name) { return mkdir(name.c_str(), 0777) == 0; });
}

absl::Status RenameDirectory(const std::string& temporary, const std::string& path) {
  int failed = renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE);
  if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
    // This file system has no RENAME_NOREPLACE. Plain rename would replace an empty directory, so look first.
    struct stat about;
    if (lstat(path.c_str(), &about) == 0) return FileError(EEXIST, "write", path);
    failed = rename(temporary.c_str(), path.c_str());
  }
  if (failed != 0) return FileError(errno, "write", path);
  return SyncDirectory(ParentDirectory(path));
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? FileError(error.value(), "remove", path) : absl::OkStatus();
}

absl::Status ValidateRelativePath(absl::string_view relative) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("path '", absl::CHexEscape(relative), "' ", why,
                     "; expected a path relative to the data directory that stays below it"));
  };
  if (relative.empty())
    return absl::InvalidArgumentError("path is empty; expected a path relative to the data directory");
  if (relative.find('\0') != absl::string_view::npos) return refuse("contains a NUL byte");
  if (relative.front() == '/') return refuse("is absolute");
  for (absl::string_view component : absl::StrSplit(relative, '/')) {
    if (component == "..") return refuse("contains '..'");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PathWithin(const std::string& root, absl::string_view relative, Links links) {
  KWTA_RETURN_IF_ERROR(ValidateRelativePath(relative));
  struct FreeMemory {
    void operator()(char* memory) const { std::free(memory); }
  };
  const auto resolve = [](const std::string& path) {
    return std::unique_ptr<char, FreeMemory>(realpath(path.c_str(), nullptr));
  };
  const auto resolved_root = resolve(root);
  if (resolved_root == nullptr) return FileError(errno, "open", root);
  const std::string path = absl::StrCat(root, "/", relative);
  const auto resolved = resolve(path);
  if (resolved == nullptr) return FileError(errno, "open", path);
  std::string below(resolved_root.get());
  const bool is_root = below == resolved.get();
  if (below.back() != '/') below += '/';
  if (links == Links::kStayBelow && !is_root && std::strncmp(resolved.get(), below.c_str(), below.size()) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("path '", relative, "' leaves the data directory '", root,
                                                   "' through a symbolic link; copy the file into the directory"));
  }
  return std::string(resolved.get());
}

}  // namespace kwta
