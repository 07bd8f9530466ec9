#include "core/io/arrays/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/safetensors_header.h"

namespace kwta {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kDataAlignment = 64;
constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;  // The limit of the format's own library.

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata) {
  // Wide elements come first, so that every tensor is aligned for its own elements.
  std::vector<const TensorMap::value_type*> in_order;
  for (const auto& named : tensors) in_order.push_back(&named);
  std::stable_sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
    return DTypeSize(a->second.dtype()) > DTypeSize(b->second.dtype());
  });

  SafetensorsHeader header;
  header.metadata = metadata;
  uint64_t position = 0;
  for (const auto* named : in_order) {
    const Tensor& tensor = named->second;
    header.entries.push_back({named->first, tensor.dtype(), tensor.shape(), position, position + tensor.bytes()});
    position += tensor.bytes();
  }
  KWTA_ASSIGN_OR_RETURN(std::string json, FormatSafetensorsHeader(header));
  json.resize(RoundUp(kLengthBytes + json.size(), kDataAlignment) - kLengthBytes, ' ');

  std::array<char, kLengthBytes> length;
  for (size_t i = 0; i < kLengthBytes; ++i)
    length[i] = static_cast<char>(static_cast<uint64_t>(json.size()) >> (8 * i));

  KWTA_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  KWTA_RETURN_IF_ERROR(writer.Write(length.data(), length.size()));
  KWTA_RETURN_IF_ERROR(writer.Write(json));
  for (const auto* named : in_order) {
    KWTA_RETURN_IF_ERROR(writer.Write(named->second.data(), named->second.bytes()));
  }
  return writer.Commit();
}

absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path, absl::string_view prefix) {
  const auto corrupt = [&path](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("'", path, "': ", what));
  };
  KWTA_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  if (file.size() < kLengthBytes) {
    return corrupt(absl::StrCat("not a safetensors file: ", file.size(), " bytes, expected at least ", kLengthBytes));
  }
  std::array<uint8_t, kLengthBytes> length_bytes;
  KWTA_RETURN_IF_ERROR(file.ReadAt(0, length_bytes.data(), kLengthBytes));
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(length_bytes[i]) << (8 * i);
  if (length > kMaxSafetensorsHeaderBytes) {
    return corrupt(absl::StrCat("not a safetensors file: its header would have ", length, " bytes, at most ",
                                kMaxSafetensorsHeaderBytes, " are accepted"));
  }
  const uint64_t after_length = file.size() - kLengthBytes;
  if (length > after_length) {
    return corrupt(absl::StrCat("its header should have ", length, " bytes, but only ", after_length,
                                " follow: the file is cut short"));
  }
  std::string json(length, '\0');
  KWTA_RETURN_IF_ERROR(file.ReadAt(kLengthBytes, json.data(), length));
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(json, after_length - length);
  if (!header.ok()) return corrupt(header.status().message());

  SafetensorsFile result;
  result.metadata = std::move(header->metadata);
  for (SafetensorsEntry& entry : header->entries) {
    if (!absl::StartsWith(entry.name, prefix)) continue;
    Tensor tensor(entry.dtype, std::move(entry.shape));
    KWTA_RETURN_IF_ERROR(file.ReadAt(kLengthBytes + length + entry.begin, tensor.data(), tensor.bytes()));
    result.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  KWTA_RETURN_IF_ERROR(file.CheckUnchanged());
  return result;
}

}  // namespace kwta
