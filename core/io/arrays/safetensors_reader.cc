#include "core/io/arrays/safetensors_reader.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr uint64_t kLengthFieldBytes = 8;
constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;  // The limit of the format's own library.

}  // namespace

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const std::string& path) {
  const auto corrupt = [&path](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("'", path, "': ", what));
  };
  KWTA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  if (file.size() < kLengthFieldBytes) {
    return corrupt(
        absl::StrCat("not a safetensors file: ", file.size(), " bytes, expected at least ", kLengthFieldBytes));
  }
  std::array<uint8_t, kLengthFieldBytes> length_bytes;
  KWTA_RETURN_IF_ERROR(file.ReadAt(0, length_bytes.data(), length_bytes.size()));
  uint64_t length = 0;
  for (size_t i = 0; i < length_bytes.size(); ++i) length |= static_cast<uint64_t>(length_bytes[i]) << (8 * i);
  if (length > kMaxSafetensorsHeaderBytes) {
    return corrupt(absl::StrCat("not a safetensors file: its header would have ", length, " bytes, at most ",
                                kMaxSafetensorsHeaderBytes, " are accepted"));
  }
  const uint64_t after_length = file.size() - kLengthFieldBytes;
  if (length > after_length) {
    return corrupt(absl::StrCat("its header should have ", length, " bytes, but only ", after_length,
                                " follow: the file is cut short"));
  }
  std::string json(length, '\0');
  KWTA_RETURN_IF_ERROR(file.ReadAt(kLengthFieldBytes, json.data(), length));
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(json, after_length - length);
  if (!header.ok()) return corrupt(header.status().message());
  return SafetensorsReader(std::move(file), *std::move(header), kLengthFieldBytes + length);
}

const SafetensorsEntry* SafetensorsReader::Find(absl::string_view name) const {
  for (const SafetensorsEntry& entry : header_.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

absl::Status SafetensorsReader::Read(const SafetensorsEntry& entry, int64_t first, int64_t count, void* out) const {
  const size_t size = DTypeSize(entry.dtype);
  return file_.ReadAt(data_ + entry.begin + static_cast<uint64_t>(first) * size, out,
                      static_cast<size_t>(count) * size);
}

}  // namespace kwta
