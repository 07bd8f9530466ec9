#include "core/io/datasets/idx.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/array_bytes.h"
#include "core/io/byte_source.h"

namespace kwta {
namespace {

constexpr uint8_t kUnsignedBytes = 0x08;
constexpr uint8_t kFloats = 0x0D;
constexpr int kMaxIdxDimensions = 8;

uint32_t BigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

// Reads the extents and proves that the file can hold the elements.
absl::StatusOr<Shape> ReadShape(ByteSource& source, int dimensions, DType dtype, uint64_t max_bytes) {
  if (dimensions < 1 || dimensions > kMaxIdxDimensions) {
    return source.Corrupt(absl::StrCat("idx file has ", dimensions, " dimensions; expected 1 to ", kMaxIdxDimensions));
  }
  std::array<uint8_t, 4 * kMaxIdxDimensions> extents;
  KWTA_RETURN_IF_ERROR(source.Read(extents.data(), 4 * dimensions, "extents"));
  Shape shape;
  for (int i = 0; i < dimensions; ++i) shape.push_back(BigEndian(extents.data() + 4 * i));
  const std::optional<uint64_t> bytes = ArrayBytes(dtype, shape);
  if (!bytes) return source.Corrupt("idx file has extents whose product overflows");
  if (*bytes > source.available()) {
    return source.Corrupt(absl::StrCat("idx file is cut short: its elements ", ShapeString(shape), " need ", *bytes,
                                       " bytes, more than a file of this length can hold"));
  }
  if (*bytes > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", source.path(), "' has ", *bytes, " bytes of elements; at most ", max_bytes, " are accepted"));
  }
  return shape;
}

absl::StatusOr<IdxHeader> ReadHeader(ByteSource& source, uint64_t max_bytes) {
  std::array<uint8_t, 4> magic;
  KWTA_RETURN_IF_ERROR(source.Read(magic.data(), magic.size(), "first fields"));
  if (magic[0] != 0 || magic[1] != 0) {
    return source.Corrupt(
        absl::StrFormat("not an idx file: it starts with %02x %02x, expected 00 00", magic[0], magic[1]));
  }
  if (magic[2] != kUnsignedBytes && magic[2] != kFloats) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "'%s': idx elements of type 0x%02x are not supported; expected 0x08 (unsigned bytes) or 0x0d (floats)",
        source.path(), magic[2]));
  }
  const DType dtype = magic[2] == kUnsignedBytes ? DType::kU8 : DType::kF32;
  KWTA_ASSIGN_OR_RETURN(Shape shape, ReadShape(source, magic[3], dtype, max_bytes));
  return IdxHeader{dtype, std::move(shape)};
}

}  // namespace

absl::StatusOr<IdxHeader> ReadIdxHeader(const std::string& path, uint64_t max_bytes) {
  KWTA_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path, "idx"));
  return ReadHeader(source, max_bytes);
}

absl::StatusOr<Tensor> ReadIdx(const std::string& path, uint64_t max_bytes) {
  KWTA_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path, "idx"));
  KWTA_ASSIGN_OR_RETURN(IdxHeader header, ReadHeader(source, max_bytes));
  Tensor tensor(header.dtype, std::move(header.shape));
  KWTA_RETURN_IF_ERROR(source.Read(tensor.data(), tensor.bytes(), "elements"));
  KWTA_RETURN_IF_ERROR(source.ExpectEnd(tensor.bytes()));
  if (header.dtype == DType::kF32) {
    uint32_t* words = tensor.as<uint32_t>();
    for (int64_t i = 0; i < tensor.elements(); ++i) words[i] = BigEndian(reinterpret_cast<const uint8_t*>(words + i));
  }
  return tensor;
}

}  // namespace kwta
