#include "core/io/idx.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/io/array_bytes.h"
#include "core/io/files.h"
#include "core/io/gzip.h"

namespace kwta {
namespace {

constexpr uint8_t kUnsignedBytes = 0x08;
constexpr uint8_t kFloats = 0x0D;
constexpr int kMaxDimensions = 8;

// Where the contents come from.
struct Source {
  std::string path;
  uint64_t available = 0;  // The most bytes that the contents can have.
  // Reads the next bytes and gives how many there were.
  std::function<absl::StatusOr<size_t>(void* out, size_t bytes)> read;

  absl::Status Corrupt(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("'", path, "': ", what));
  }
};

uint32_t BigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

absl::Status ReadExactly(const Source& source, void* out, size_t bytes, absl::string_view what) {
  KWTA_ASSIGN_OR_RETURN(const size_t got, source.read(out, bytes));
  if (got == bytes) return absl::OkStatus();
  return source.Corrupt(absl::StrCat("idx file is cut short: its ", what, " need ", bytes, " bytes, found ", got));
}

// Reads the extents and proves that the elements can be there.
absl::StatusOr<Shape> ReadShape(const Source& source, int dimensions, DType dtype, uint64_t max_bytes) {
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    return source.Corrupt(absl::StrCat("idx file has ", dimensions, " dimensions; expected 1 to ", kMaxDimensions));
  }
  std::array<uint8_t, 4 * kMaxDimensions> extents;
  KWTA_RETURN_IF_ERROR(ReadExactly(source, extents.data(), 4 * dimensions, "extents"));
  Shape shape;
  for (int i = 0; i < dimensions; ++i) shape.push_back(BigEndian(extents.data() + 4 * i));
  const std::optional<uint64_t> bytes = ArrayBytes(dtype, shape);
  if (!bytes) return source.Corrupt("idx file has extents whose product overflows");
  if (*bytes > source.available) {
    return source.Corrupt(absl::StrCat("idx file is cut short: its elements ", ShapeString(shape), " need ", *bytes,
                                       " bytes, more than a file of this length can hold"));
  }
  if (*bytes > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", source.path, "' has ", *bytes, " bytes of elements; at most ", max_bytes, " are accepted"));
  }
  return shape;
}

absl::StatusOr<Tensor> Parse(const Source& source, uint64_t max_bytes) {
  std::array<uint8_t, 4> magic;
  KWTA_RETURN_IF_ERROR(ReadExactly(source, magic.data(), magic.size(), "first fields"));
  if (magic[0] != 0 || magic[1] != 0) {
    return source.Corrupt(
        absl::StrFormat("not an idx file: it starts with %02x %02x, expected 00 00", magic[0], magic[1]));
  }
  if (magic[2] != kUnsignedBytes && magic[2] != kFloats) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "'%s': idx elements of type 0x%02x are not supported; expected 0x08 (unsigned bytes) or 0x0d (floats)",
        source.path, magic[2]));
  }
  const DType dtype = magic[2] == kUnsignedBytes ? DType::kU8 : DType::kF32;
  KWTA_ASSIGN_OR_RETURN(Shape shape, ReadShape(source, magic[3], dtype, max_bytes));

  Tensor tensor(dtype, std::move(shape));
  KWTA_RETURN_IF_ERROR(ReadExactly(source, tensor.data(), tensor.bytes(), "elements"));
  char extra;
  KWTA_ASSIGN_OR_RETURN(const size_t trailing, source.read(&extra, 1));
  if (trailing != 0) {
    return source.Corrupt(absl::StrCat("idx file goes on after the ", tensor.bytes(), " bytes of its elements"));
  }
  if (dtype == DType::kF32) {
    uint32_t* words = tensor.as<uint32_t>();
    for (int64_t i = 0; i < tensor.elements(); ++i) words[i] = BigEndian(reinterpret_cast<const uint8_t*>(words + i));
  }
  return tensor;
}

}  // namespace

absl::StatusOr<Tensor> ReadIdx(const std::string& path, uint64_t max_bytes) {
  KWTA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  KWTA_ASSIGN_OR_RETURN(const bool compressed, GzipReader::IsGzip(file));
  const uint64_t size = file.size();
  if (compressed) {
    GzipReader reader(std::move(file));
    return Parse({path, GzipReader::MaxInflatedBytes(size),
                  [&reader](void* out, size_t bytes) { return reader.Read(out, bytes); }},
                 max_bytes);
  }
  uint64_t position = 0;
  const auto read = [&](void* out, size_t bytes) -> absl::StatusOr<size_t> {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes, size - position));
    KWTA_RETURN_IF_ERROR(file.ReadAt(position, out, count));
    position += count;
    return count;
  };
  return Parse({path, size, read}, max_bytes);
}

}  // namespace kwta
