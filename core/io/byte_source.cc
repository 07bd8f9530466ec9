#include "core/io/byte_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {

ByteSource::ByteSource(std::string path, absl::string_view format, InputFile file, bool compressed)
    : path_(std::move(path)),
      format_(format),
      available_(compressed ? GzipReader::MaxInflatedBytes(file.size()) : file.size()) {
  if (compressed) {
    compressed_.emplace(std::move(file));
  } else {
    plain_.emplace(std::move(file));
  }
}

absl::StatusOr<ByteSource> ByteSource::Open(const std::string& path, absl::string_view format) {
  KWTA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  KWTA_ASSIGN_OR_RETURN(const bool compressed, GzipReader::IsGzip(file));
  return ByteSource(path, format, std::move(file), compressed);
}

absl::StatusOr<size_t> ByteSource::ReadUpTo(void* out, size_t bytes) {
  if (compressed_) return compressed_->Read(out, bytes);
  const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes, available_ - position_));
  KWTA_RETURN_IF_ERROR(plain_->ReadAt(position_, out, count));
  position_ += count;
  return count;
}

absl::Status ByteSource::Read(void* out, size_t bytes, absl::string_view what) {
  KWTA_ASSIGN_OR_RETURN(const size_t got, ReadUpTo(out, bytes));
  if (got == bytes) return absl::OkStatus();
  return Corrupt(absl::StrCat(format_, " file is cut short: its ", what, " need ", bytes, " bytes, found ", got));
}

absl::Status ByteSource::ExpectEnd(uint64_t bytes) {
  char extra;
  KWTA_ASSIGN_OR_RETURN(const size_t trailing, ReadUpTo(&extra, 1));
  if (trailing == 0) return (compressed_ ? compressed_->file() : *plain_).CheckUnchanged();
  return Corrupt(absl::StrCat(format_, " file goes on after the ", bytes, " bytes of its elements"));
}

absl::Status ByteSource::Corrupt(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("'", path_, "': ", what));
}

}  // namespace kwta
