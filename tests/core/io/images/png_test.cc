#include "core/io/images/png.h"

#include <algorithm>

#include "core/base/rng.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::png_test {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::ElementsAre;

Image RandomImage(int64_t channels, int64_t height, int64_t width) {
  Rng rng(channels * 100 + height);
  Image image{channels, height, width, std::vector<uint8_t>(channels * height * width)};
  for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(rng.UniformBelow(256));
  return image;
}

constexpr int64_t kPlenty = 1 << 20;

TEST(Png, KeepsEveryPixel) {
  for (const Image& image : {RandomImage(1, 1, 1), RandomImage(1, 17, 5), RandomImage(3, 4, 31)}) {
    const auto file = EncodePng(image);
    ASSERT_THAT(file, IsOk());
    EXPECT_EQ(file->substr(0, 4), "\x89PNG");
    const auto read = DecodePng(*file, "a.png", kPlenty);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->channels, image.channels);
    EXPECT_EQ(read->height, image.height);
    EXPECT_EQ(read->width, image.width);
    EXPECT_EQ(read->pixels, image.pixels);
  }
}

TEST(Png, WritesFiles) {
  const TemporaryDirectory directory;
  const Image image = RandomImage(3, 6, 7);
  ASSERT_THAT(WritePng(directory.File("a.png"), image), IsOk());
  EXPECT_EQ(ReadAll(directory.File("a.png")), EncodePng(image).value());
  EXPECT_THAT(WritePng(directory.File("none/a.png"), image), StatusIs(StatusCode::kNotFound, "none"));
}

TEST(Png, RefusesImagesThatAreNone) {
  for (const auto& [channels, height, width, bytes] :
       std::vector<std::array<int64_t, 4>>{{2, 2, 2, 8}, {1, 0, 2, 0}, {1, 2, 2, 5}, {3, 2, 2, 4}, {1, 2, -2, 4}}) {
    const Image image{channels, height, width, std::vector<uint8_t>(bytes)};
    EXPECT_THAT(EncodePng(image), StatusIs(StatusCode::kInvalidArgument, "cannot make a PNG picture of "));
  }
}

TEST(Png, RefusesDamagedFiles) {
  const std::string file = EncodePng(RandomImage(1, 30, 30)).value();
  EXPECT_THAT(DecodePng("", "a.png", kPlenty), StatusIs(StatusCode::kDataLoss, "'a.png' is not a PNG file"));
  EXPECT_THAT(DecodePng("GIF89a....", "a.png", kPlenty), StatusIs(StatusCode::kDataLoss, "'a.png' is not a PNG file"));
  for (const size_t length : {size_t{20}, size_t{40}, file.size() / 2, file.size() - 30}) {
    EXPECT_THAT(DecodePng(file.substr(0, length), "a.png", kPlenty), StatusIs(StatusCode::kDataLoss, "damaged"))
        << length;
  }
  std::string flipped = file;
  flipped[file.size() / 2] ^= 0x40;  // the checksums notice
  EXPECT_THAT(DecodePng(flipped, "a.png", kPlenty), StatusIs(StatusCode::kDataLoss, "damaged"));
  EXPECT_THAT(DecodePng(file, "a.png", 899),
              StatusIs(StatusCode::kInvalidArgument, "has 30 x 30 pixels; at most 899 are accepted"));
}

TEST(Png, RefusesTransparency) {
  // One pixel, grey with alpha, written by another program.
  const std::string file(
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\b\4\0\0\0\xb5\x1c\x0c\x02"
      "\0\0\0\x0bIDATx\xda"
      "cd`\0\0\0\6\0\2\x30\x81\xd0\x2f\0\0\0\0IEND\xae"
      "B`\x82",
      68);
  EXPECT_THAT(DecodePng(file, "a.png", kPlenty), StatusIs(StatusCode::kInvalidArgument, "'a.png' has transparency"));
}

TEST(TileFilters, ScalesEachFilterToItsOwnRange) {
  const float filters[] = {-1, 0,     1,  3,  //
                           10, 10.5f, 11, 10};
  const Image image = TileFilters(filters, 2, {1, 2, 2}, {/*columns=*/2, /*zoom=*/1, /*gap=*/1});
  EXPECT_EQ(image.height, 4);
  EXPECT_EQ(image.width, 7);
  EXPECT_THAT(image.pixels, ElementsAre(128, 128, 128, 128, 128, 128, 128,  //
                                        128, 0, 64, 128, 0, 128, 128,       //
                                        128, 128, 255, 128, 255, 0, 128,    //
                                        128, 128, 128, 128, 128, 128, 128));
}

TEST(TileFilters, FlatFiltersAreGreyAndPlacesStayEmpty) {
  const float filters[3] = {5, 5, 5};
  const Image image = TileFilters(filters, 3, {1, 1, 1}, {2, 3, 0});
  EXPECT_EQ(image.height, 6);
  EXPECT_EQ(image.width, 6);
  EXPECT_THAT(image.pixels, Each(128));
}

TEST(TileFilters, ZoomsAndKeepsColours) {
  const float filter[] = {0, 51, 102, 153, 204, 255};  // [3, 1, 2]: red 0 51, green 102 153, blue 204 255
  const Image image = TileFilters(filter, 1, {3, 1, 2}, {0, 2, 0});
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.width, 4);
  EXPECT_THAT(std::vector<uint8_t>(image.pixels.begin(), image.pixels.begin() + 12),
              ElementsAre(0, 102, 204, 0, 102, 204, 51, 153, 255, 51, 153, 255));
  EXPECT_TRUE(std::equal(image.pixels.begin(), image.pixels.begin() + 12, image.pixels.begin() + 12));
}

TEST(TileFilters, IsAboutSquareByItself) {
  const std::vector<float> filters(100 * 16);
  const Image image = TileFilters(filters.data(), 100, {1, 4, 4});
  EXPECT_EQ(image.height, 51);
  EXPECT_EQ(image.width, 51);
}

}  // namespace
}  // namespace kwta::png_test
