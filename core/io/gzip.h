// Reading gzip files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/files/files.h"

namespace kwta {

// Streams the contents of a gzip file. The caller limits how much it takes, so a small file that would inflate to a
// huge one costs nothing. Not thread-safe; movable.
class GzipReader {
 public:
  // Returns true if `file` starts with gzip's magic number.
  static absl::StatusOr<bool> IsGzip(const InputFile& file);

  explicit GzipReader(InputFile file);
  GzipReader(GzipReader&&) noexcept;
  GzipReader& operator=(GzipReader&&) noexcept;
  ~GzipReader();

  // Inflates up to `bytes` bytes to `out` and returns how many. The number is smaller than `bytes` only if the contents
  // end there; their checksum and length have then been verified. Errors: DATA_LOSS (truncated or corrupt).
  absl::StatusOr<size_t> Read(void* out, size_t bytes);

  const InputFile& file() const;

  // Returns the most bytes that `compressed` bytes can inflate to, in gzip or any other format that uses deflate.
  static uint64_t MaxInflatedBytes(uint64_t compressed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kwta
