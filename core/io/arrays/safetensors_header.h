// The JSON header of a safetensors file. docs/model-bundle.md describes the format.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

// The position of a tensor: bytes begin .. end - 1 after the header.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // By position; they fill the data without gap or overlap.
  std::map<std::string, std::string> metadata;
};

// Parses a header and checks it against the number of data bytes that follow it. Returns only proven extents, products
// and offsets. Errors: DATA_LOSS naming the tensor.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, uint64_t data_bytes);

// Returns the header as JSON, without padding. Errors: INVALID_ARGUMENT if a name or the metadata are not UTF-8, or if
// a tensor has the name that the format reserves for metadata.
absl::StatusOr<std::string> FormatSafetensorsHeader(const SafetensorsHeader& header);

}  // namespace kwta
