// The contents of a file as a stream, whether it is compressed by gzip or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"
#include "core/io/gzip.h"

namespace kwta {

// Reads forwards only. `format` names the file's format in messages ("idx"). Not thread-safe; movable.
class ByteSource {
 public:
  // Errors: as core/files/files.h says.
  static absl::StatusOr<ByteSource> Open(const std::string& path, absl::string_view format);

  const std::string& path() const { return path_; }
  // The most bytes that the contents can have.
  uint64_t available() const { return available_; }

  // Reads the next `bytes` bytes; `what` says what they hold. Errors: DATA_LOSS if the contents end before.
  absl::Status Read(void* out, size_t bytes, absl::string_view what);
  // Errors: DATA_LOSS unless the contents end here, after the `bytes` bytes of their elements; and if the
  // file changed while it was read.
  absl::Status ExpectEnd(uint64_t bytes);
  // DATA_LOSS: "'<path>': <what>".
  absl::Status Corrupt(absl::string_view what) const;

 private:
  ByteSource(std::string path, absl::string_view format, InputFile file, bool compressed);
  absl::StatusOr<size_t> ReadUpTo(void* out, size_t bytes);

  std::string path_;
  std::string format_;
  uint64_t available_;
  std::optional<InputFile> plain_;
  std::optional<GzipReader> compressed_;
  uint64_t position_ = 0;  // in plain_
};

}  // namespace kwta
