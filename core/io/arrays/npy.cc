#include "core/io/arrays/npy.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/array_bytes.h"
#include "core/io/arrays/npy_header.h"

namespace kwta {

absl::StatusOr<NpyFile> ReadNpy(const std::string& path) {
  const auto prefixed = [&path](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat("'", path, "': ", status.message()));
  };
  KWTA_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::Open(path));
  auto mapped = std::make_shared<MappedFile>(std::move(opened));
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(absl::string_view(mapped->data(), mapped->size()));
  if (!header.ok()) return prefixed(header.status());

  const uint64_t available = mapped->size() - header->data_offset;
  const std::optional<uint64_t> bytes = ArrayBytes(header->dtype, header->shape);
  if (!bytes || *bytes != available) {
    return prefixed(absl::DataLossError(absl::StrCat(
        "npy elements of shape ", ShapeString(header->shape), " and type ", DTypeName(header->dtype), " need ",
        bytes ? absl::StrCat(*bytes) : "too many", " bytes; the file has ", available, " after its header")));
  }
  const char* data = mapped->data() + header->data_offset;
  if (header->data_offset % DTypeSize(header->dtype) == 0) {
    return NpyFile{{header->dtype, std::move(header->shape), data}, std::move(mapped)};
  }
  auto copy = std::make_shared<Tensor>(header->dtype, header->shape);
  if (*bytes > 0) std::memcpy(copy->data(), data, *bytes);
  const void* copied = copy->data();
  return NpyFile{{header->dtype, std::move(header->shape), copied}, std::move(copy)};
}

absl::Status WriteNpy(const std::string& path, const ArrayView& array) {
  KWTA_ASSIGN_OR_RETURN(const std::string type_name, NpyTypeName(array.dtype));
  KWTA_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  KWTA_RETURN_IF_ERROR(writer.Write(FormatNpyHeader(type_name, array.shape)));
  KWTA_RETURN_IF_ERROR(writer.Write(array.data, *ArrayBytes(array.dtype, array.shape)));
  return writer.Commit();
}

}  // namespace kwta
