#include "core/io/arrays/npz.h"

#include <zlib.h>

#include <array>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/array_bytes.h"
#include "core/io/arrays/npy_header.h"

namespace kwta {
namespace {

// One file of the archive: an npy header and the elements, which it does not own.
struct Member {
  std::string name;
  std::string header;
  absl::string_view elements;
  uint32_t checksum = 0;
  uint32_t offset = 0;  // Of its local header.
};

Member MakeMember(absl::string_view name, absl::string_view type_name, const Shape& shape, absl::string_view elements) {
  return {absl::StrCat(name, ".npy"), FormatNpyHeader(type_name, shape), elements};
}

uint32_t Checksum(const Member& member) {
  uLong checksum = 0;
  for (absl::string_view bytes : {absl::string_view(member.header), member.elements}) {
    // A null pointer would reset crc32_z.
    if (!bytes.empty()) checksum = crc32_z(checksum, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  }
  return static_cast<uint32_t>(checksum);
}

void Append16(std::string* out, uint32_t value) {
  out->push_back(static_cast<char>(value));
  out->push_back(static_cast<char>(value >> 8));
}
void Append32(std::string* out, uint32_t value) {
  Append16(out, value);
  Append16(out, value >> 16);
}

// The fields that the local header and the central directory have in common.
void AppendCommonFields(std::string* out, const Member& member) {
  constexpr uint32_t kVersion = 20, kFlags = 0x0800 /* names are UTF-8 */, kStored = 0;
  constexpr uint32_t kMidnight = 0, kFirstOf1980 = 0x21;  // No clock: equal arrays make equal files.
  const uint32_t bytes = static_cast<uint32_t>(member.header.size() + member.elements.size());
  Append16(out, kVersion);
  Append16(out, kFlags);
  Append16(out, kStored);
  Append16(out, kMidnight);
  Append16(out, kFirstOf1980);
  Append32(out, member.checksum);
  Append32(out, bytes);
  Append32(out, bytes);
  Append16(out, static_cast<uint32_t>(member.name.size()));
  Append16(out, 0);  // No extra fields.
}

std::string LocalHeader(const Member& member) {
  std::string out("PK\x03\x04", 4);
  AppendCommonFields(&out, member);
  return out + member.name;
}

std::string DirectoryEntry(const Member& member) {
  std::string out("PK\x01\x02", 4);
  Append16(&out, 20);  // Version of the writer.
  AppendCommonFields(&out, member);
  Append16(&out, 0);  // No comment.
  Append16(&out, 0);  // First disk.
  Append16(&out, 0);  // Binary.
  Append32(&out, 0);  // Default permissions.
  Append32(&out, member.offset);
  return out + member.name;
}

std::string EndOfDirectory(size_t members, uint32_t directory_bytes, uint32_t directory_offset) {
  std::string out("PK\x05\x06", 4);
  Append32(&out, 0);  // This disk and the directory's: the first.
  Append16(&out, static_cast<uint32_t>(members));
  Append16(&out, static_cast<uint32_t>(members));
  Append32(&out, directory_bytes);
  Append32(&out, directory_offset);
  Append16(&out, 0);  // No comment.
  return out;
}

absl::Status WriteArchive(const std::string& path, std::vector<Member> members) {
  // Sizes first: a refused file costs no pass over its elements.
  uint64_t offset = 0, directory_bytes = 0;
  for (Member& member : members) {
    member.offset = static_cast<uint32_t>(offset);
    offset += LocalHeader(member).size() + member.header.size() + member.elements.size();
    directory_bytes += DirectoryEntry(member).size();
    if (offset + directory_bytes > std::numeric_limits<uint32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot write '", path,
                       "': an npz file of 4 GiB or more is not supported; write safetensors, or fewer rows a file"));
    }
  }
  KWTA_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  std::string directory;
  for (Member& member : members) {
    member.checksum = Checksum(member);
    directory += DirectoryEntry(member);
    KWTA_RETURN_IF_ERROR(writer.Write(LocalHeader(member)));
    KWTA_RETURN_IF_ERROR(writer.Write(member.header));
    KWTA_RETURN_IF_ERROR(writer.Write(member.elements));
  }
  KWTA_RETURN_IF_ERROR(writer.Write(directory));
  KWTA_RETURN_IF_ERROR(writer.Write(
      EndOfDirectory(members.size(), static_cast<uint32_t>(directory.size()), static_cast<uint32_t>(offset))));
  return writer.Commit();
}

absl::StatusOr<Member> MakeMember(const NamedArray& named) {
  const ArrayView& array = named.array;
  KWTA_ASSIGN_OR_RETURN(const std::string type_name, NpyTypeName(array.dtype));
  const absl::string_view elements(static_cast<const char*>(array.data), *ArrayBytes(array.dtype, array.shape));
  return MakeMember(named.name, type_name, array.shape, elements);
}

absl::StatusOr<std::vector<Member>> MakeMembers(const std::vector<NamedArray>& arrays) {
  std::vector<Member> members;
  for (const NamedArray& named : arrays) {
    KWTA_ASSIGN_OR_RETURN(Member member, MakeMember(named));
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

absl::Status WriteNpz(const std::string& path, const std::vector<NamedArray>& arrays) {
  KWTA_ASSIGN_OR_RETURN(std::vector<Member> members, MakeMembers(arrays));
  return WriteArchive(path, std::move(members));
}

absl::Status WriteSparseNpz(const std::string& path, const SparseCodes& codes) {
  const std::array<int64_t, 2> shape = {codes.rows(), codes.units};
  KWTA_ASSIGN_OR_RETURN(std::vector<Member> members,
                        MakeMembers({{"indices", {DType::kI32, {codes.entries()}, codes.indices.data()}},
                                     {"indptr", {DType::kI64, {codes.rows() + 1}, codes.row_offsets.data()}},
                                     {"shape", {DType::kI64, {2}, shape.data()}},
                                     {"data", {DType::kF32, {codes.entries()}, codes.values.data()}}}));
  members.push_back(MakeMember("format", "|S3", {}, "csr"));
  return WriteArchive(path, std::move(members));
}

}  // namespace kwta
