#include "server/web/api/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::server {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Image GreyPicture(int64_t height, int64_t width, uint8_t level) {
  return {1, height, width, std::vector<uint8_t>(height * width, level)};
}

TEST(PictureTest, WhatIsNoPictureIsRefused) {
  const absl::Status status = DecodePicture("GIF89a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("neither a PNG nor a JPEG"));
  EXPECT_EQ(DecodePicture("\x89PNG and nothing more").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodePicture("\xff\xd8 and nothing more").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PictureTest, TooManyPixelsAreRefused) {
  const absl::StatusOr<std::string> file = EncodePng(GreyPicture(4097, 4096, 7));
  ASSERT_TRUE(file.ok());
  const absl::Status status = DecodePicture(*file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 16777216"));
}

TEST(PictureTest, GreyBecomesEachChannel) {
  EXPECT_THAT(RowOfPicture(GreyPicture(6, 4, 90), {3, 2, 2}), Each(90));
  EXPECT_EQ(RowOfPicture(GreyPicture(6, 4, 90), {3, 2, 2}).size(), 12u);
}

TEST(PictureTest, ColourBecomesGrey) {
  const Image red{3, 1, 1, {255, 0, 0}};
  EXPECT_THAT(RowOfPicture(red, {1, 1, 1}), ElementsAre(76));  // 0.299 * 255
}

TEST(PictureTest, TheMiddleIsTaken) {
  // Two black columns, two white ones, two black ones.
  const Image wide{1, 2, 6, {0, 0, 255, 255, 0, 0, 0, 0, 255, 255, 0, 0}};
  EXPECT_THAT(RowOfPicture(wide, {1, 2, 2}), Each(255));
}

TEST(PictureTest, LongLinesAreFolded) {
  EXPECT_EQ(ShownShape({1, 1, 50}), (Shape{1, 7, 8}));
  std::vector<float> line(50, 2);
  line[0] = -1;
  const std::vector<float> shown = Shown(line, {1, 1, 50});
  ASSERT_EQ(shown.size(), 56u);
  EXPECT_EQ(shown[49], 2);
  EXPECT_EQ(shown[55], -1);
}

TEST(PictureTest, TwoChannelsShowTheirMean) {
  EXPECT_EQ(ShownShape({2, 1, 2}), (Shape{1, 1, 2}));
  EXPECT_THAT(Shown({1, 2, 3, 6}, {2, 1, 2}), ElementsAre(2, 4));
}

TEST(PictureTest, LevelsAreScaledAndClamped) {
  EXPECT_THAT(DrawRow({-1, 0, 0.5f, 3}, {1, 2, 2}, 0, 1).pixels, ElementsAre(0, 0, 128, 255));
}

}  // namespace
}  // namespace kwta::server
