// Files: reading with limits, writing so that a reader sees all or nothing, and staying inside a directory.
//
// Every function gives the same codes for what the system reports: NOT_FOUND (no such file or directory),
// PERMISSION_DENIED (no right, or a read-only file system), RESOURCE_EXHAUSTED (disk, quota or file size limit
// reached), ALREADY_EXISTS, INVALID_ARGUMENT (a path that can name no file: too long, a directory, links in a ring),
// UNAVAILABLE (anything else). Who reads a whole file also gives FAILED_PRECONDITION if the file was changed meanwhile.
// Messages name the path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta {

// The status for `error_number` (a value of errno), met when trying to `action` ("write", "open") the file at `path`.
absl::Status FileError(int error_number, absl::string_view action, absl::string_view path);

// A regular file open for reading. Movable; ReadAt is thread-safe.
class InputFile {
 public:
  // Also INVALID_ARGUMENT if `path` is not a regular file.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  // Bytes when it was opened.
  uint64_t size() const { return size_; }

  // Reads exactly `bytes` bytes at `offset`. Errors: DATA_LOSS if the file ends before, FAILED_PRECONDITION if it does
  // because it changed.
  absl::Status ReadAt(uint64_t offset, void* out, size_t bytes) const;

  // Whether what was read since Open is one state of the file: its length and the time of its last change are those at
  // Open. A file that another one was renamed over stays as it was. Thread-safe. Errors: FAILED_PRECONDITION.
  absl::Status CheckUnchanged() const;

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  int64_t modified_seconds_ = 0, modified_nanoseconds_ = 0;
};

// The whole of a regular file. Errors: INVALID_ARGUMENT if it has more than `max_bytes` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes);

// What `path` leads to if it is a symbolic link, else `path`; there need not be a file at its end.
absl::StatusOr<std::string> FollowLinks(const std::string& path);

// Writes a file under a temporary name in the same directory; Commit gives it its name. A writer that is destroyed
// before Commit succeeds leaves nothing behind. Temporary names start with a dot. A link stays: the file that it leads
// to is written. A file that is replaced keeps its mode, and its owner and group as far as the process may give files
// away. Not thread-safe; movable.
class AtomicFileWriter {
 public:
  // `mode`, less the umask, is that of a file that is not there yet. Also INVALID_ARGUMENT if there is something else
  // than a regular file.
  static absl::StatusOr<AtomicFileWriter> Create(const std::string& path, uint32_t mode = 0666);
  AtomicFileWriter(AtomicFileWriter&& other) noexcept;
  AtomicFileWriter& operator=(AtomicFileWriter&& other) noexcept;
  ~AtomicFileWriter();

  // Appends.
  absl::Status Write(const void* data, size_t bytes);
  absl::Status Write(absl::string_view data) { return Write(data.data(), data.size()); }
  // Syncs the file, renames it over whatever has its name, and syncs the directory. To be called once.
  absl::Status Commit();

 private:
  AtomicFileWriter(std::string path, std::string temporary, int descriptor);

  std::string path_;
  std::string temporary_;  // Empty when there is nothing to remove.
  int descriptor_ = -1;
};

// AtomicFileWriter for contents that are at hand.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, uint32_t mode = 0666);

// Whether a file could be written at `path` now; changes nothing. For a look before long work.
absl::Status CheckCanWrite(const std::string& path);

// Makes an empty directory under a temporary name beside `path`, and gives that name.
absl::StatusOr<std::string> MakeTemporarySibling(const std::string& path);

// Gives the directory `temporary` the name `path` and syncs the directory above. Errors: ALREADY_EXISTS if there is
// anything at `path`, even an empty directory.
absl::Status RenameDirectory(const std::string& temporary, const std::string& path);

// Removes a file, or a directory with all that is in it. What is not there is no error.
absl::Status RemoveAll(const std::string& path);

// Checks that `relative` has the form of a path that stays below the directory it is relative to: not empty, not
// absolute, no "..", no NUL byte. Errors: INVALID_ARGUMENT.
absl::Status ValidateRelativePath(absl::string_view relative);

// Whether symbolic links may lead out of a directory: they may where the user of this program names the files, and not
// where a request does.
enum class Links { kStayBelow, kFollow };

// The resolved path of an existing file or folder below the directory `root`, or of root itself ("./"). Errors: those
// of ValidateRelativePath, INVALID_ARGUMENT if a symbolic link leads out of root and must not, NOT_FOUND.
absl::StatusOr<std::string> PathWithin(const std::string& root, absl::string_view relative,
                                       Links links = Links::kStayBelow);

}  // namespace kwta
