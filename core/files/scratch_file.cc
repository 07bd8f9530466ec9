#include "core/files/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/files/files.h"

namespace kwta {

ScratchFile::ScratchFile(ScratchFile&& other) noexcept { *this = std::move(other); }

ScratchFile& ScratchFile::operator=(ScratchFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

ScratchFile::~ScratchFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

absl::StatusOr<ScratchFile> ScratchFile::Create(const std::string& directory, size_t bytes) {
  std::error_code ignored;  // mkostemp refuses the empty path that comes with an error.
  const std::string where = directory.empty() ? std::filesystem::temp_directory_path(ignored).string() : directory;
  std::string path = absl::StrCat(where, "/.scratch-XXXXXX");
  const int descriptor = mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) return FileError(errno, "write", path);
  unlink(path.c_str());
  if (bytes == 0) {
    close(descriptor);
    return ScratchFile(nullptr, 0);
  }
  if (const int failed = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes)); failed != 0) {
    close(descriptor);
    return FileError(failed, absl::StrCat("reserve ", bytes, " bytes in"), where);
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int failed = errno;
  close(descriptor);
  if (memory == MAP_FAILED) return FileError(failed, "map", path);
  return ScratchFile(static_cast<char*>(memory), bytes);
}

}  // namespace kwta
