// Memory that is backed by a file without a name.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace kwta {

// `bytes` bytes, zeroed, that the system may write out to a disk when memory is short. The file is gone with the object
// or the process, however that ends. Movable; as thread-safe as plain memory.
class ScratchFile {
 public:
  // In `directory`; empty: in the system's directory for temporary files. Errors: as core/files/files.h says; the space
  // is reserved here, so that a full disk is an error now and not a fault later.
  static absl::StatusOr<ScratchFile> Create(const std::string& directory, size_t bytes);
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&& other) noexcept;
  ~ScratchFile();

  // Aligned to a page; null if there are no bytes.
  char* data() { return data_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  ScratchFile(char* data, size_t size) : data_(data), size_(size) {}

  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kwta
