#include "core/io/arrays/npy.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/checked_math.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/array_bytes.h"
#include "core/io/arrays/npy_header.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {
namespace {

absl::Status PrefixedWithPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("'", path, "': ", status.message()));
}

// A mapped npy file whose header has been read.
struct MappedNpy {
  std::shared_ptr<const MappedFile> file;
  NpyHeader header;
  int64_t elements = 0;
  const char* data = nullptr;
};

absl::StatusOr<MappedNpy> MapNpy(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::Open(path));
  MappedNpy npy;
  npy.file = std::make_shared<const MappedFile>(std::move(opened));
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(absl::string_view(npy.file->data(), npy.file->size()));
  KWTA_RETURN_IF_ERROR(npy.file->CheckUnchanged());
  if (!header.ok()) return PrefixedWithPath(path, header.status());
  npy.header = *std::move(header);

  const uint64_t available = npy.file->size() - npy.header.data_offset;
  const std::optional<uint64_t> elements = ArrayBytes(DType::kU8, npy.header.shape);
  const std::optional<uint64_t> bytes =
      elements ? CheckedMultiply(*elements, uint64_t{npy.header.element_bytes}) : std::nullopt;
  if (!bytes || *bytes != available) {
    return PrefixedWithPath(
        path, absl::DataLossError(absl::StrCat(
                  "npy elements of shape ", ShapeString(npy.header.shape), " and type ", npy.header.type_name, " need ",
                  bytes ? absl::StrCat(*bytes) : "too many", " bytes; the file has ", available, " after its header")));
  }
  npy.elements = static_cast<int64_t>(*elements);
  npy.data = npy.file->data() + npy.header.data_offset;
  return npy;
}

// REQUIRES: DType has the elements' type.
absl::StatusOr<NpyFile> AsStored(MappedNpy npy) {
  const DType dtype = *npy.header.dtype;
  if (npy.header.data_offset % DTypeSize(dtype) == 0) {
    return NpyFile{{dtype, std::move(npy.header.shape), npy.data}, npy.file, npy.file, ""};
  }
  auto copy = std::make_shared<Tensor>(dtype, npy.header.shape);
  if (npy.elements > 0) std::memcpy(copy->data(), npy.data, copy->bytes());
  KWTA_RETURN_IF_ERROR(npy.file->CheckUnchanged());
  const void* copied = copy->data();
  return NpyFile{{dtype, std::move(npy.header.shape), copied}, std::move(copy), nullptr, ""};
}

// Converts elements of type T, which need not be aligned. Returns the index of the first that does not fit, or `count`.
template <typename T>
int64_t ToFloats(const char* from, int64_t count, float* out) {
  int64_t misfit = count;
  for (int64_t i = 0; i < count; ++i, from += sizeof(T)) {
    T element;
    std::memcpy(&element, from, sizeof(T));
    out[i] = static_cast<float>(element);
    bool fits;
    if constexpr (std::is_integral_v<T>) {
      // Converting back is undefined beyond the range of T. The integer was rounded up to get there.
      const float limit = std::ldexp(1.0f, std::numeric_limits<T>::digits);
      fits = out[i] >= -limit && out[i] < limit && static_cast<T>(out[i]) == element;
    } else {
      fits = std::isfinite(out[i]) || !std::isfinite(element);
    }
    if (!fits && misfit == count) misfit = i;
  }
  return misfit;
}

struct Conversion {
  const char* type_name;
  int64_t (*to_floats)(const char* from, int64_t count, float* out);
};
constexpr Conversion kConversions[] = {
    {"<f8", ToFloats<double>},  {"|i1", ToFloats<int8_t>},   {"<i2", ToFloats<int16_t>}, {"<u2", ToFloats<uint16_t>},
    {"<i4", ToFloats<int32_t>}, {"<u4", ToFloats<uint32_t>}, {"<i8", ToFloats<int64_t>}, {"<u8", ToFloats<uint64_t>}};

absl::StatusOr<NpyFile> AsFloats(const std::string& path, MappedNpy npy, const Conversion& conversion) {
  const Shape& shape = npy.header.shape;
  if (static_cast<uint64_t>(npy.elements) > kMaxDatasetBytes / sizeof(float)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has ", npy.elements, " elements of type '", npy.header.type_name,
                     "', which are held in memory as f32; at most ", kMaxDatasetBytes / sizeof(float),
                     " are accepted; save the array with .astype('<f4'), which is mapped"));
  }
  auto floats = std::make_shared<Tensor>(DType::kF32, shape);
  const int64_t misfit = conversion.to_floats(npy.data, npy.elements, floats->as<float>());
  KWTA_RETURN_IF_ERROR(npy.file->CheckUnchanged());
  if (misfit < npy.elements) {
    const int64_t width = shape.empty() ? 1 : npy.elements / shape.front();
    return absl::InvalidArgumentError(absl::StrCat(
        "'", path, "' has elements of type '", npy.header.type_name, "'; the one at row ", misfit / width, ", column ",
        misfit % width, " fits into no f32; scale the array, or round it with .astype('<f4')"));
  }
  std::string note =
      absl::StrCat("'", path, "' holds elements of type '", npy.header.type_name,
                   "'; they are read as f32 in memory, and not divided as bytes are; save it with .astype('<f4') to "
                   "have it mapped");
  const void* data = floats->data();
  return NpyFile{{DType::kF32, shape, data}, std::move(floats), nullptr, std::move(note)};
}

}  // namespace

absl::StatusOr<NpyFile> ReadNpy(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(MappedNpy npy, MapNpy(path));
  if (npy.header.dtype.has_value()) return AsStored(std::move(npy));
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': npy elements of type '", npy.header.type_name,
                                                 "' are not supported here; save the array with .astype('<f4')"));
}

absl::StatusOr<NpyForm> ReadNpyForm(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(MappedNpy npy, MapNpy(path));
  NpyHeader& header = npy.header;
  std::string type = header.dtype.has_value() ? DTypeName(*header.dtype) : std::move(header.type_name);
  return NpyForm{std::move(header.shape), std::move(type)};
}

absl::StatusOr<NpyFile> ReadNpyRows(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(MappedNpy npy, MapNpy(path));
  for (const Conversion& conversion : kConversions) {
    if (npy.header.type_name == conversion.type_name) return AsFloats(path, std::move(npy), conversion);
  }
  return AsStored(std::move(npy));
}

absl::Status WriteNpy(const std::string& path, const ArrayView& array) {
  KWTA_ASSIGN_OR_RETURN(const std::string type_name, NpyTypeName(array.dtype));
  KWTA_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  KWTA_RETURN_IF_ERROR(writer.Write(FormatNpyHeader(type_name, array.shape)));
  KWTA_RETURN_IF_ERROR(writer.Write(array.data, *ArrayBytes(array.dtype, array.shape)));
  return writer.Commit();
}

}  // namespace kwta
