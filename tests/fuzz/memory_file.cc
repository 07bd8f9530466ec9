#include "tests/fuzz/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace kwta {

MemoryFile::MemoryFile(const uint8_t* data, size_t size)
    : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
  if (descriptor_ < 0) std::abort();
  for (size_t written = 0; written < size;) {
    const ssize_t count = ::write(descriptor_, data + written, size - written);
    if (count <= 0) std::abort();
    written += static_cast<size_t>(count);
  }
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

void Touch(const void* data, size_t bytes) {
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < bytes; ++i) sum = static_cast<uint8_t>(sum + static_cast<const uint8_t*>(data)[i]);
}

}  // namespace kwta
