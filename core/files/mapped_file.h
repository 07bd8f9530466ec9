// Maps files into memory, for data sets that may be larger than it.
#pragma once

#include <csignal>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/files/files.h"

namespace kwta {

// A file mapped read-only. Movable; concurrent reads are safe.
//
// Somebody may write to the file, or cut it short, while it is mapped. The memory then shows the file's new contents,
// and zeros where the file has ended. A read never faults: the first MappedFile of a process sets a SIGBUS handler that
// puts zeros there and passes other faults to the previous handler. A reader calls CheckUnchanged after it has read,
// and discards its results if the contents have changed. Mapping keeps a data set that is larger than the memory
// usable, and loading costs neither time nor a copy. If a rename replaces the file, existing mappings keep the old
// file.
class MappedFile {
 public:
  // Errors: see core/files/files.h.
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Page-aligned; null if the file is empty.
  const char* data() const { return data_; }
  size_t size() const { return size_; }

  // Checks that the memory has shown the contents at Open ever since. One system call. Thread-safe. Errors:
  // FAILED_PRECONDITION (the file was written to or cut short), DATA_LOSS (a part could not be read), and file-system
  // errors.
  absl::Status CheckUnchanged() const;

 private:
  struct Mapping;
  static void OnBusError(int signal, siginfo_t* info, void* context);
  explicit MappedFile(InputFile file) : file_(std::move(file)) {}

  InputFile file_;
  Mapping* mapping_ = nullptr;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kwta
