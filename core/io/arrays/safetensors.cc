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
#include "core/io/arrays/safetensors_reader.h"

namespace kwta {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kDataAlignment = 64;

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
  KWTA_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(path));
  SafetensorsFile result;
  result.metadata = reader.header().metadata;
  for (const SafetensorsEntry& entry : reader.header().entries) {
    if (!absl::StartsWith(entry.name, prefix)) continue;
    Tensor tensor(entry.dtype, entry.shape);
    KWTA_RETURN_IF_ERROR(reader.Read(entry, 0, tensor.elements(), tensor.data()));
    result.tensors.emplace(entry.name, std::move(tensor));
  }
  KWTA_RETURN_IF_ERROR(reader.CheckUnchanged());
  return result;
}

}  // namespace kwta
