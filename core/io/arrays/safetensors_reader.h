// Reads parts of a safetensors file, for tensors of which only a few rows are needed.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"
#include "core/io/arrays/safetensors_header.h"

namespace kwta {

// An open file whose header has been checked. Movable; reading is thread-safe.
class SafetensorsReader {
 public:
  // Errors: DATA_LOSS (truncated, corrupt, or of a dtype that kwta lacks), naming file and tensor; and file-system
  // errors (see core/files/files.h).
  static absl::StatusOr<SafetensorsReader> Open(const std::string& path);

  const SafetensorsHeader& header() const { return header_; }
  // Returns null if there is no such tensor. Valid as long as the reader stays where it is.
  const SafetensorsEntry* Find(absl::string_view name) const;

  // Reads elements first .. first + count - 1 of a tensor, row-major, to `out`. Errors: see InputFile::ReadAt.
  // REQUIRES: the entry is one of the header's, and has these elements.
  absl::Status Read(const SafetensorsEntry& entry, int64_t first, int64_t count, void* out) const;
  // Checks that all reads saw one state of the file. Errors: see InputFile::CheckUnchanged.
  absl::Status CheckUnchanged() const { return file_.CheckUnchanged(); }

 private:
  SafetensorsReader(InputFile file, SafetensorsHeader header, uint64_t data)
      : file_(std::move(file)), header_(std::move(header)), data_(data) {}

  InputFile file_;
  SafetensorsHeader header_;
  uint64_t data_;  // where the data begin
};

}  // namespace kwta
