#include "core/io/gzip.h"

#include "tests/core/io/io_test_util.h"

namespace kwta::gzip_test {
namespace {

using absl::StatusCode;

GzipReader Open(const std::string& path) {
  auto file = InputFile::Open(path);
  EXPECT_THAT(file, IsOk());
  return GzipReader(std::move(*file));
}

// Everything that a file of these bytes inflates to, read in pieces.
absl::StatusOr<std::string> Inflate(absl::string_view compressed, size_t piece) {
  const TemporaryDirectory directory;
  GzipReader reader = Open(directory.Write("a.gz", compressed));
  std::string out;
  while (true) {
    std::string buffer(piece, '\0');
    const auto got = reader.Read(buffer.data(), piece);
    if (!got.ok()) return got.status();
    out += buffer.substr(0, *got);
    if (*got < piece) return out;
  }
}

std::string SomeText() {
  std::string text;
  for (uint32_t i = 0; i < 50000; ++i) text += static_cast<char>((i * i) >> 7);
  return text;
}

// "hello" as gzip 1.12 wrote it.
constexpr absl::string_view kHello("\x1F\x8B\x08\0\0\0\0\0\x02\x03\xCB\x48\xCD\xC9\xC9\x07\0\x86\xA6\x10\x36\x05\0\0\0",
                                   25);

TEST(GzipReaderTest, InflatesInPiecesOfAnySize) {
  const std::string text = SomeText();
  for (size_t piece : {1000, 50000, 50001, 1 << 20}) {
    const auto out = Inflate(Gzip(text), piece);
    ASSERT_THAT(out, IsOk());
    EXPECT_TRUE(*out == text) << piece;
  }
}

TEST(GzipReaderTest, InflatesAFileOfAnotherProgram) {
  const auto out = Inflate(kHello, 2);
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(*out, "hello");
}

TEST(GzipReaderTest, MembersFollowOneAnother) {
  const auto out = Inflate(Gzip("one ") + Gzip("") + Gzip("two"), 100);
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(*out, "one two");
}

TEST(GzipReaderTest, ZerosMayFollowMembers) {
  for (const size_t zeros : {1, 512, 1 << 16, (1 << 17) + 3}) {
    const std::string padding(zeros, '\0');
    const auto out = Inflate(Gzip("one ") + padding + Gzip("two") + padding, 100);
    ASSERT_THAT(out, IsOk()) << zeros;
    EXPECT_EQ(*out, "one two");
    EXPECT_THAT(Inflate(Gzip("one ") + padding + "x", 100), StatusIs(StatusCode::kDataLoss, "")) << zeros;
  }
}

TEST(GzipReaderTest, EveryTruncationIsDataLoss) {
  for (size_t length = 0; length < kHello.size(); ++length) {
    EXPECT_THAT(Inflate(kHello.substr(0, length), 100), StatusIs(StatusCode::kDataLoss, "cut short")) << length;
  }
}

TEST(GzipReaderTest, CorruptDataAreDataLoss) {
  std::string bytes(kHello);
  bytes[18] ^= 1;  // In the checksum.
  EXPECT_THAT(Inflate(bytes, 100), StatusIs(StatusCode::kDataLoss, "incorrect data check"));
  bytes = std::string(kHello);
  bytes[22] ^= 1;  // In the length.
  EXPECT_THAT(Inflate(bytes, 100), StatusIs(StatusCode::kDataLoss, "incorrect length check"));
  bytes = std::string(kHello);
  bytes[2] = 9;  // The method.
  EXPECT_THAT(Inflate(bytes, 100), StatusIs(StatusCode::kDataLoss, "unknown compression method"));
  EXPECT_THAT(Inflate(std::string(kHello) + "rubbish", 100), StatusIs(StatusCode::kDataLoss, "incorrect header check"));
}

TEST(GzipReaderTest, TakesNoMoreThanIsAskedFor) {
  const TemporaryDirectory directory;
  const std::string bomb = Gzip(std::string(10'000'000, '\0'));
  ASSERT_LT(bomb.size(), 20000u);
  EXPECT_GE(GzipReader::MaxInflatedBytes(bomb.size()), 10'000'000u);
  GzipReader reader = Open(directory.Write("bomb.gz", bomb));
  std::string out(101, 'x');
  const auto got = reader.Read(out.data(), 100);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(*got, 100u);
  EXPECT_EQ(out, std::string(100, '\0') + "x");
}

TEST(GzipReaderTest, MaxInflatedBytesDoesNotOverflow) {
  EXPECT_EQ(GzipReader::MaxInflatedBytes(2), 2064u);
  EXPECT_EQ(GzipReader::MaxInflatedBytes(~uint64_t{0}), ~uint64_t{0});
}

TEST(GzipReaderTest, KnowsGzipByItsContents) {
  const TemporaryDirectory directory;
  const auto is_gzip = [&](absl::string_view contents) {
    const auto file = InputFile::Open(directory.Write("a", contents));
    EXPECT_THAT(file, IsOk());
    const auto result = GzipReader::IsGzip(*file);
    EXPECT_THAT(result, IsOk());
    return *result;
  };
  EXPECT_TRUE(is_gzip(kHello));
  EXPECT_FALSE(is_gzip(""));
  EXPECT_FALSE(is_gzip("\x1F"));
  EXPECT_FALSE(is_gzip(absl::string_view("\0\0\x08\x01", 4)));
}

}  // namespace
}  // namespace kwta::gzip_test
