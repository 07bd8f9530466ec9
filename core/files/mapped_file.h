// Files mapped into memory, for data sets that may be larger than it.
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
// Somebody may write to the file, or cut it short, while it is mapped: then the memory shows what is in the file now,
// and zeros where the file has nothing any more. A read never faults: the first MappedFile of a process sets a handler
// for SIGBUS, which puts zeros there and leaves faults elsewhere to the handler that was there before. Who reads the
// memory calls CheckUnchanged after it and gives up what it made of the contents if they have changed. Mapping and not
// copying keeps a data set that is larger than the memory usable, and costs neither time nor a copy when it is loaded.
// A file that is replaced by renaming another one over it stays as it was for those who have mapped it.
class MappedFile {
 public:
  // Errors: as core/files/files.h says.
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Aligned to a page; null if the file is empty.
  const char* data() const { return data_; }
  size_t size() const { return size_; }

  // Whether the memory has shown, from Open until now, what the file held at Open. One system call. Thread-safe.
  // Errors: FAILED_PRECONDITION (the file was written to or cut short), DATA_LOSS (a part could not be read), and what
  // the file system gives.
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
