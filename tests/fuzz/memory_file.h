// Bytes as a file, for readers that take a path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace kwta {

// A file in memory that holds `data`; it has a path for as long as this lives.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  const int descriptor_;
  const std::string path_;
};

// Reads every byte, so that a sanitizer sees whether all of them may be read.
void Touch(const void* data, size_t bytes);

}  // namespace kwta
