#include "core/io/arrays/npz.h"

#include <zlib.h>

#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::npz_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

uint32_t Number(const std::string& bytes, size_t at, int count) {
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return value;
}

// Members of an uncompressed zip archive, found through its directory, each checked against its local header and
// checksum.
std::map<std::string, std::string> Unzip(const std::string& zip) {
  std::map<std::string, std::string> members;
  const size_t end = zip.size() - 22;
  EXPECT_EQ(zip.substr(end, 4), "PK\5\6");
  const uint32_t count = Number(zip, end + 10, 2);
  size_t entry = Number(zip, end + 16, 4);
  EXPECT_EQ(entry + Number(zip, end + 12, 4), end);
  for (uint32_t i = 0; i < count; ++i) {
    EXPECT_EQ(zip.substr(entry, 4), "PK\1\2");
    const uint32_t name_length = Number(zip, entry + 28, 2);
    const std::string name = zip.substr(entry + 46, name_length);
    const uint32_t local = Number(zip, entry + 42, 4);
    EXPECT_EQ(zip.substr(local, 4), "PK\3\4");
    // Version to extra-field length are the same fields in both.
    EXPECT_EQ(zip.substr(local + 4, 26), zip.substr(entry + 6, 26));
    EXPECT_EQ(zip.substr(local + 30, name_length), name);
    const std::string contents = zip.substr(local + 30 + name_length, Number(zip, entry + 24, 4));
    EXPECT_EQ(Number(zip, entry + 16, 4),
              crc32(0, reinterpret_cast<const Bytef*>(contents.data()), static_cast<uInt>(contents.size())));
    members[name] = contents;
    entry += 46 + name_length;
  }
  EXPECT_EQ(entry, end);
  return members;
}

template <typename T>
std::vector<T> Elements(const std::string& npy, const Shape& shape) {
  const TemporaryDirectory directory;
  const auto file = ReadNpy(directory.Write("a.npy", npy));
  EXPECT_THAT(file, IsOk());
  EXPECT_EQ(file->array.shape, shape);
  const T* elements = static_cast<const T*>(file->array.data);
  return std::vector<T>(elements, elements + ElementCount(shape));
}

TEST(NpzTest, HoldsTheArrays) {
  const TemporaryDirectory directory;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::vector<int32_t> indices = {7, 8};
  ASSERT_THAT(WriteNpz(directory.File("a.npz"), {{"values", {DType::kF32, {2, 3}, values.data()}},
                                                 {"indices", {DType::kI32, {2}, indices.data()}},
                                                 {"none", {DType::kF32, {0, 3}, nullptr}}}),
              IsOk());
  EXPECT_THAT(directory.List(), ElementsAre("a.npz"));
  const auto members = Unzip(ReadAll(directory.File("a.npz")));
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(Elements<float>(members.at("values.npy"), {2, 3}), values);
  EXPECT_EQ(Elements<int32_t>(members.at("indices.npy"), {2}), indices);
  EXPECT_THAT(Elements<float>(members.at("none.npy"), {0, 3}), IsEmpty());
}

TEST(NpzTest, HoldsSparseCodes) {
  const TemporaryDirectory directory;
  SparseCodes codes;
  codes.units = 10;
  codes.row_offsets = {0, 2, 2, 3};
  codes.indices = {1, 9, 4};
  codes.values = {0.5f, -1.0f, 2.0f};
  ASSERT_THAT(WriteSparseNpz(directory.File("a.npz"), codes), IsOk());
  const auto members = Unzip(ReadAll(directory.File("a.npz")));
  ASSERT_EQ(members.size(), 5u);
  EXPECT_EQ(Elements<int64_t>(members.at("indptr.npy"), {4}), codes.row_offsets);
  EXPECT_EQ(Elements<int32_t>(members.at("indices.npy"), {3}), codes.indices);
  EXPECT_EQ(Elements<float>(members.at("data.npy"), {3}), codes.values);
  EXPECT_THAT(Elements<int64_t>(members.at("shape.npy"), {2}), ElementsAre(3, 10));
  const std::string& format = members.at("format.npy");
  EXPECT_THAT(format, testing::HasSubstr("{'descr': '|S3', 'fortran_order': False, 'shape': (), }"));
  EXPECT_EQ(format.substr(format.size() - 4), "\ncsr");
}

TEST(NpzTest, RefusesWhatTheFormatHasNot) {
  const TemporaryDirectory directory;
  const uint16_t element = 0;
  EXPECT_THAT(WriteNpz(directory.File("a.npz"), {{"a", {DType::kBF16, {1}, &element}}}),
              StatusIs(StatusCode::kInvalidArgument, "bf16"));
  // Refused by its size alone: the elements are never looked at.
  const int64_t half = int64_t{1} << 31;
  EXPECT_THAT(
      WriteNpz(directory.File("a.npz"), {{"a", {DType::kU8, {half}, &element}}, {"b", {DType::kU8, {half}, &element}}}),
      StatusIs(StatusCode::kInvalidArgument, "4 GiB or more"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

TEST(NpzTest, AFullDiskLeavesNothing) {
  const TemporaryDirectory directory;
  const std::vector<float> values(10000);
  const FileSizeLimit limit(1000);
  EXPECT_THAT(WriteNpz(directory.File("a.npz"), {{"a", {DType::kF32, {10000}, values.data()}}}),
              StatusIs(StatusCode::kResourceExhausted, "a.npz"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

}  // namespace
}  // namespace kwta::npz_test
