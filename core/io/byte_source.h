// Streams a file's contents, gzip-compressed or plain.
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

// Reads forwards only. `format` is the format's name in messages ("idx"). Not thread-safe; movable.
class ByteSource {
 public:
  // Errors: see core/files/files.h.
  static absl::StatusOr<ByteSource> Open(const std::string& path, absl::string_view format);

  const std::string& path() const { return path_; }
  // Returns an upper bound on the bytes of the contents.
  uint64_t available() const { return available_; }

  // Reads the next `bytes` bytes. `what` names them in messages. Errors: DATA_LOSS if the contents end earlier.
  absl::Status Read(void* out, size_t bytes, absl::string_view what);
  // Checks that the contents end here, after `bytes` bytes of elements. Errors: DATA_LOSS if they do not, or if the
  // file changed during reading.
  absl::Status ExpectEnd(uint64_t bytes);
  // Returns DATA_LOSS: "'<path>': <what>".
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
