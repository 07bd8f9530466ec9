// Memory backed by an unnamed file.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace kwta {

// `bytes` zeroed bytes that the system may write out to disk when memory is short. The file vanishes with the object or
// with the process, however that ends. Movable; as thread-safe as plain memory.
class ScratchFile {
 public:
  // Creates the file in `directory`, or in the system's temporary directory if that is empty. Reserves the space now,
  // so that a full disk is an error here and not a fault later. Errors: see core/files/files.h.
  static absl::StatusOr<ScratchFile> Create(const std::string& directory, size_t bytes);
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&& other) noexcept;
  ~ScratchFile();

  // Page-aligned; null if there are no bytes.
  char* data() { return data_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  ScratchFile(char* data, size_t size) : data_(data), size_(size) {}

  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kwta
