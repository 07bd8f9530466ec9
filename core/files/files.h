// Reads files with limits, writes files so that a reader sees all or nothing, and keeps paths inside a directory.
//
// Every function maps system errors to the same codes: NOT_FOUND (no such file or directory), PERMISSION_DENIED (no
// right, or a read-only file system), RESOURCE_EXHAUSTED (disk, quota or file size limit reached), ALREADY_EXISTS,
// INVALID_ARGUMENT (a path that can name no file: too long, a directory, links in a ring), UNAVAILABLE (anything else).
// A function that reads a whole file also returns FAILED_PRECONDITION if the file changed meanwhile. Messages name the
// path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta {

// Returns the status for `error_number` (an errno) that occurred while trying to `action` ("write", "open") `path`.
absl::Status FileError(int error_number, absl::string_view action, absl::string_view path);

// A regular file open for reading. Movable; ReadAt is thread-safe.
class InputFile {
 public:
  // Errors also: INVALID_ARGUMENT if `path` is not a regular file.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  // Returns the size in bytes at Open.
  uint64_t size() const { return size_; }

  // Reads exactly `bytes` bytes at `offset`. Errors: DATA_LOSS if the file ends earlier, FAILED_PRECONDITION if it does
  // so because it changed.
  absl::Status ReadAt(uint64_t offset, void* out, size_t bytes) const;

  // Checks that all reads since Open saw one state of the file: its length and modification time are still those at
  // Open. A file that was replaced by a rename stays as it was. Thread-safe. Errors: FAILED_PRECONDITION.
  absl::Status CheckUnchanged() const;

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  int64_t modified_seconds_ = 0, modified_nanoseconds_ = 0;
};

// Reads a whole regular file. Errors: INVALID_ARGUMENT if it has more than `max_bytes` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes);

// Returns the target of `path` if it is a symbolic link, else `path`. The target need not exist.
absl::StatusOr<std::string> FollowLinks(const std::string& path);

// Writes a file under a temporary name in the same directory; Commit renames it. A writer that is destroyed before
// Commit succeeds leaves nothing behind. Temporary names start with a dot. A link stays: the writer writes the file
// that it leads to. A replaced file keeps its mode. It also keeps its owner and group as far as the process may give
// files away. Not thread-safe; movable.
class AtomicFileWriter {
 public:
  // `mode`, less the umask, applies to a new file. Errors also: INVALID_ARGUMENT if `path` exists and is not a regular
  // file.
  static absl::StatusOr<AtomicFileWriter> Create(const std::string& path, uint32_t mode = 0666);
  AtomicFileWriter(AtomicFileWriter&& other) noexcept;
  AtomicFileWriter& operator=(AtomicFileWriter&& other) noexcept;
  ~AtomicFileWriter();

  // Appends.
  absl::Status Write(const void* data, size_t bytes);
  absl::Status Write(absl::string_view data) { return Write(data.data(), data.size()); }
  // Syncs the file, renames it over any file of its name, and syncs the directory. Call it once.
  absl::Status Commit();

 private:
  AtomicFileWriter(std::string path, std::string temporary, int descriptor);

  std::string path_;
  std::string temporary_;  // Empty if there is nothing to remove.
  int descriptor_ = -1;
};

// Writes `contents` with an AtomicFileWriter.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, uint32_t mode = 0666);

// Checks that a file could be written at `path` now, before long work starts. Changes nothing.
absl::Status CheckCanWrite(const std::string& path);

// Makes an empty directory under a temporary name beside `path`, and returns that name.
absl::StatusOr<std::string> MakeTemporarySibling(const std::string& path);

// Renames the directory `temporary` to `path` and syncs the directory above. Errors: ALREADY_EXISTS if `path` exists,
// even as an empty directory.
absl::Status RenameDirectory(const std::string& temporary, const std::string& path);

// Removes a file, or a directory with everything in it. A missing path is no error.
absl::Status RemoveAll(const std::string& path);

// Checks that `relative` has the form of a path that stays below its directory: not empty, not absolute, no "..", no
// NUL byte. Errors: INVALID_ARGUMENT.
absl::Status ValidateRelativePath(absl::string_view relative);

// Whether symbolic links may lead out of a directory. They may if the user of this program names the files. They may
// not if a request does.
enum class Links { kStayBelow, kFollow };

// Resolves the path of an existing file or folder below the directory `root`, or of root itself ("./"). Errors: those
// of ValidateRelativePath, INVALID_ARGUMENT if a symbolic link leads out of root and must not, NOT_FOUND.
absl::StatusOr<std::string> PathWithin(const std::string& root, absl::string_view relative,
                                       Links links = Links::kStayBelow);

}  // namespace kwta
