// Pictures are read as Pillow reads them, or refused: tests/data/images/make_images.py made files and expected pixels.
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "core/io/images/bmp.h"
#include "core/io/images/jpeg.h"
#include "core/io/images/png.h"
#include "core/io/images/webp.h"
#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

using absl::StatusCode;

constexpr int64_t kMaxPictureSide = 100;

absl::StatusOr<Image> Decode(const std::string& file, const std::string& name, int64_t max_pixels) {
  if (absl::EndsWith(name, ".png")) return DecodePng(file, name, max_pixels);
  if (absl::EndsWith(name, ".webp")) return DecodeWebp(file, name, max_pixels);
  if (absl::EndsWith(name, ".bmp")) return DecodeBmp(file, name, max_pixels);
  return DecodeJpeg(file, name, max_pixels);
}

TEST(Pictures, HaveThePixelsThatPillowReadsOrAreRefused) {
  const std::string folder = KWTA_TEST_DATA "/images/";
  std::ifstream table(folder + "expected.txt");
  int pictures = 0, refused = 0;
  for (std::string line; std::getline(table, line); ++pictures) {
    std::istringstream fields(line);
    std::string name, channels;
    fields >> name >> channels;
    SCOPED_TRACE(name);
    const std::string file = ReadAll(folder + name);
    const auto image = Decode(file, name, kMaxPictureSide * kMaxPictureSide);
    if (channels == "refused") {
      std::string why;
      std::getline(fields >> std::ws, why);
      EXPECT_THAT(image, StatusIs(StatusCode::kInvalidArgument, why));
      ++refused;
      continue;
    }
    int64_t height = 0, width = 0;
    std::string pixels;
    fields >> height >> width >> pixels;
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(image->channels, std::atoi(channels.c_str()));
    EXPECT_EQ(image->height, height);
    EXPECT_EQ(image->width, width);
    const std::string expected = absl::HexStringToBytes(pixels);
    ASSERT_EQ(image->pixels.size(), expected.size());
    // Versions of libjpeg and libwebp may round differently where they have other instructions.
    const bool lossy = absl::EndsWith(name, ".jpg") || absl::StrContains(name, "lossy");
    const int tolerance = lossy ? 1 : 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_LE(std::abs(image->pixels[i] - static_cast<uint8_t>(expected[i])), tolerance) << "at byte " << i;
    }
  }
  EXPECT_EQ(pictures, 95);
  EXPECT_EQ(refused, 24);
}

TEST(Pictures, OfEveryKindAreBoundedAndCheckedForTheirEnd) {
  for (const char* name : {"rgb-lossless.webp", "rgb-lossy.webp", "rgb-24.bmp", "palette-4.bmp", "rgb-32-masks.bmp"}) {
    SCOPED_TRACE(name);
    const std::string file = ReadAll(absl::StrCat(KWTA_TEST_DATA "/images/", name));
    const auto image = Decode(file, name, kMaxPictureSide * kMaxPictureSide);
    ASSERT_THAT(image, IsOk());
    EXPECT_THAT(Decode(file, name, image->height * image->width), IsOk());
    EXPECT_THAT(Decode(file, name, image->height * image->width - 1),
                StatusIs(StatusCode::kInvalidArgument, "are accepted"));
    for (size_t length = 0; length < file.size(); length += length < 64 ? 1 : 7) {
      EXPECT_THAT(Decode(file.substr(0, length), name, 1 << 20), StatusIs(StatusCode::kDataLoss, name)) << length;
    }
  }
}

TEST(Pictures, OfBmpWithBadHeadersAreRefused) {
  const std::string file = ReadAll(KWTA_TEST_DATA "/images/palette-8-short.bmp");
  const auto with = [&file](size_t at, uint64_t value, int bytes) {
    std::string changed = file;
    changed.replace(at, static_cast<size_t>(bytes), LittleEndian(value, bytes));
    return DecodeBmp(changed, "a.bmp", 1 << 20);
  };
  EXPECT_THAT(with(18, 0, 4), StatusIs(StatusCode::kDataLoss, "it has no pixels"));
  EXPECT_THAT(with(18, 0x80000000, 4), StatusIs(StatusCode::kDataLoss, "it has no pixels"));
  EXPECT_THAT(with(22, 0x80000000, 4), StatusIs(StatusCode::kInvalidArgument, "2147483648 x 7 pixels"));
  EXPECT_THAT(with(10, 0xFFFFFFFF, 4), StatusIs(StatusCode::kDataLoss, "cut short"));
  EXPECT_THAT(with(14, 41, 4), StatusIs(StatusCode::kDataLoss, "no known form"));
  EXPECT_THAT(with(14, 0xFFFFFFFF, 4), StatusIs(StatusCode::kDataLoss, "no known form"));
  EXPECT_THAT(with(28, 7, 2), StatusIs(StatusCode::kInvalidArgument, "7 bits a pixel"));
  EXPECT_THAT(with(46, 257, 4), StatusIs(StatusCode::kDataLoss, "more colours"));
  EXPECT_THAT(with(46, 5, 4), StatusIs(StatusCode::kDataLoss, "a colour that its palette has not"));
}

// A PNG file of one grey channel that says that it has so many pixels, and has none.
std::string EmptyPng(uint32_t height, uint32_t width) {
  const auto chunk = [](const std::string& kind, const std::string& data) {
    const std::string checked = kind + data;
    const uLong checksum = crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
    return absl::StrCat(BigEndian(data.size(), 4), checked, BigEndian(checksum, 4));
  };
  return absl::StrCat("\x89PNG\r\n\x1a\n",
                      chunk("IHDR", BigEndian(width, 4) + BigEndian(height, 4) + std::string("\10\0\0\0\0", 5)),
                      chunk("IDAT", ""), chunk("IEND", ""));
}

TEST(Pictures, AreRefusedByWhatTheyClaimBeforeTheyAreReadAtAll) {
  EXPECT_THAT(DecodePng(EmptyPng(0x7FFFFFFF, 0x7FFFFFFF), "a.png", 1 << 26),
              StatusIs(StatusCode::kInvalidArgument, "2147483647 x 2147483647 pixels; at most 67108864 are accepted"));
  EXPECT_THAT(DecodePng(EmptyPng(8192, 8192), "a.png", 1 << 26),
              StatusIs(StatusCode::kDataLoss, "pixels are more than a file of this length can hold"));
  EXPECT_THAT(DecodePng(EmptyPng(0, 5), "a.png", 1 << 26), StatusIs(StatusCode::kDataLoss, "'a.png'"));
  EXPECT_THAT(DecodePng(EmptyPng(5, 5), "a.png", 1 << 26), StatusIs(StatusCode::kDataLoss, "'a.png'"));
}

}  // namespace
}  // namespace kwta
