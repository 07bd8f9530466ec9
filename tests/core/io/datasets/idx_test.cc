#include "core/io/datasets/idx.h"

#include "absl/strings/str_cat.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::idx_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr uint64_t kMaxBytes = 1000;

std::string Idx(int type, const std::vector<uint32_t>& extents, absl::string_view elements) {
  std::string out = absl::StrCat(BigEndian(0, 2), BigEndian(type, 1), BigEndian(extents.size(), 1));
  for (uint32_t extent : extents) out += BigEndian(extent, 4);
  return absl::StrCat(out, elements);
}

absl::StatusOr<Tensor> ReadBytes(absl::string_view contents) {
  const TemporaryDirectory directory;
  return ReadIdx(directory.Write("a.idx", contents), kMaxBytes);
}

TEST(IdxTest, ReadsBytesMadeByHand) {
  // Two images of 1 x 3.
  const std::string bytes("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\x01\x02\x03\xFD\xFE\xFF", 22);
  for (const std::string& contents : {bytes, Gzip(bytes)}) {
    const auto tensor = ReadBytes(contents);
    ASSERT_THAT(tensor, IsOk());
    EXPECT_EQ(tensor->dtype(), DType::kU8);
    EXPECT_EQ(tensor->shape(), (Shape{2, 1, 3}));
    const uint8_t* elements = tensor->as<uint8_t>();
    EXPECT_THAT(std::vector<int>(elements, elements + 6), ElementsAre(1, 2, 3, 253, 254, 255));
  }
}

TEST(IdxTest, ReadsFloats) {
  const auto tensor = ReadBytes(Idx(0x0D, {2}, absl::string_view("\x3F\x80\0\0\xC0\x40\0\0", 8)));
  ASSERT_THAT(tensor, IsOk());
  EXPECT_EQ(tensor->dtype(), DType::kF32);
  EXPECT_EQ(tensor->as<float>()[0], 1.0f);
  EXPECT_EQ(tensor->as<float>()[1], -3.0f);
}

TEST(IdxTest, ReadsNoElements) {
  const auto tensor = ReadBytes(Idx(0x08, {0, 28, 28}, ""));
  ASSERT_THAT(tensor, IsOk());
  EXPECT_EQ(tensor->shape(), (Shape{0, 28, 28}));
}

TEST(IdxTest, ReadsTheLabelsOfFashionMnist) {
  const auto labels = ReadIdx(KWTA_TEST_DATA "/datasets/fashion-mnist/train-labels-idx1-ubyte.gz", 2000);
  ASSERT_THAT(labels, IsOk());
  EXPECT_EQ(labels->shape(), (Shape{2000}));
  const uint8_t* elements = labels->as<uint8_t>();
  EXPECT_THAT(std::vector<int>(elements, elements + 8), ElementsAre(9, 0, 0, 3, 0, 2, 7, 2));
}

TEST(IdxTest, EveryTruncationIsDataLoss) {
  const std::string bytes = Idx(0x08, {2, 3}, "123456");
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ReadBytes(absl::string_view(bytes).substr(0, length)), StatusIs(StatusCode::kDataLoss, "cut short"))
        << length;
    // Whole gzip data of a cut file.
    EXPECT_THAT(ReadBytes(Gzip(absl::string_view(bytes).substr(0, length))),
                StatusIs(StatusCode::kDataLoss, "cut short"))
        << length;
  }
  const std::string compressed = Gzip(bytes);
  for (size_t length = 0; length < compressed.size(); ++length) {
    EXPECT_THAT(ReadBytes(absl::string_view(compressed).substr(0, length)), StatusIs(StatusCode::kDataLoss, "a.idx': "))
        << length;
  }
}

TEST(IdxTest, TrailingBytesAreDataLoss) {
  const std::string bytes = Idx(0x08, {2, 3}, "1234567");
  EXPECT_THAT(ReadBytes(bytes), StatusIs(StatusCode::kDataLoss, "goes on after the 6 bytes"));
  EXPECT_THAT(ReadBytes(Gzip(bytes)), StatusIs(StatusCode::kDataLoss, "goes on after the 6 bytes"));
}

TEST(IdxTest, ADamagedChecksumIsDataLoss) {
  std::string compressed = Gzip(Idx(0x08, {2, 3}, "123456"));
  compressed[compressed.size() - 8] ^= 1;
  EXPECT_THAT(ReadBytes(compressed), StatusIs(StatusCode::kDataLoss, "incorrect data check"));
}

TEST(IdxTest, RefusesHostileHeaders) {
  const uint32_t huge = 0xFFFFFFFF;
  EXPECT_THAT(ReadBytes("PNG, perhaps"), StatusIs(StatusCode::kDataLoss, "not an idx file: it starts with 50 4e"));
  EXPECT_THAT(ReadBytes(Idx(0x0E, {1}, "12345678")),
              StatusIs(StatusCode::kInvalidArgument, "type 0x0e are not supported"));
  EXPECT_THAT(ReadBytes(Idx(0x08, {}, "1")), StatusIs(StatusCode::kDataLoss, "0 dimensions"));
  EXPECT_THAT(ReadBytes(Idx(0x08, std::vector<uint32_t>(9, 1), "1")), StatusIs(StatusCode::kDataLoss, "9 dimensions"));
  EXPECT_THAT(ReadBytes(Idx(0x08, {huge, huge, huge}, "1")), StatusIs(StatusCode::kDataLoss, "product overflows"));
  EXPECT_THAT(ReadBytes(Idx(0x08, {huge, huge, huge, 0}, "")), StatusIs(StatusCode::kDataLoss, "product overflows"));
  // 2^64, which wraps to zero.
  EXPECT_THAT(ReadBytes(Idx(0x08, {1u << 31, 1u << 31, 4}, "")), StatusIs(StatusCode::kDataLoss, "product overflows"));
  // More than could be there, raw or compressed: refused before memory is taken.
  EXPECT_THAT(ReadBytes(Idx(0x08, {huge}, "1")), StatusIs(StatusCode::kDataLoss, "need 4294967295 bytes, more than"));
  EXPECT_THAT(ReadBytes(Gzip(Idx(0x08, {huge}, "1"))),
              StatusIs(StatusCode::kDataLoss, "need 4294967295 bytes, more than"));
}

TEST(IdxTest, RefusesMoreThanTheLimit) {
  EXPECT_THAT(ReadBytes(Idx(0x08, {1000}, std::string(1000, 'x'))), IsOk());
  EXPECT_THAT(ReadBytes(Idx(0x08, {1001}, std::string(1001, 'x'))),
              StatusIs(StatusCode::kInvalidArgument, "has 1001 bytes of elements; at most 1000"));
  EXPECT_THAT(ReadBytes(Gzip(Idx(0x08, {100000}, std::string(100000, 'x')))),
              StatusIs(StatusCode::kInvalidArgument, "at most 1000"));
}

TEST(IdxTest, SaysThatAFileIsMissing) {
  EXPECT_THAT(ReadIdx("/nonexistent/a.idx", kMaxBytes), StatusIs(StatusCode::kNotFound, "/nonexistent/a.idx"));
}

}  // namespace
}  // namespace kwta::idx_test
