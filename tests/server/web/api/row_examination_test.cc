#include "server/web/api/row_examination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "core/io/images/png.h"
#include "tests/server/web/api/api_fixture.h"

namespace kwta::server {
namespace {

using nlohmann::json;
using ::testing::SizeIs;

constexpr int64_t kRowPixels = 784;

Image PictureOf(const json& picture) {
  std::string png;
  EXPECT_TRUE(absl::Base64Unescape(picture["png"].get<std::string>(), &png));
  const absl::StatusOr<Image> image = DecodePng(png, "picture", 1 << 20);
  EXPECT_TRUE(image.ok()) << image.status();
  return image.ok() ? *image : Image();
}

class RowExaminationTest : public ::testing::Test {
 protected:
  absl::StatusOr<json> Examine(const std::string& model, const std::vector<uint8_t>& row) {
    return ExamineRow(world_.encode(), world_.Model(model), {DType::kU8, row.data(), 1, kRowPixels}, {});
  }

  ApiWorld world_;
};

TEST_F(RowExaminationTest, ASparseCodeIsListed) {
  std::vector<uint8_t> row(kRowPixels, 0);
  row[30] = 255;
  const json found = Examine("brightness", row).value();
  EXPECT_EQ(found["model"], "brightness");
  EXPECT_EQ(found["version"], 2);
  EXPECT_EQ(found["active"], 1);
  EXPECT_EQ(found["units"], json::array({{{"unit", 0}, {"value", 1}}}));
  EXPECT_FALSE(found.contains("maps"));
  const Image input = PictureOf(found["input"]);
  EXPECT_EQ(input.width, 28);
  EXPECT_EQ(input.pixels, row);
  // The atom is white all over, so every other pixel is wrong by 1.
  EXPECT_EQ(PictureOf(found["reconstruction"]).pixels, std::vector<uint8_t>(kRowPixels, 255));
  EXPECT_DOUBLE_EQ(found["relative_error"], 783);
}

TEST_F(RowExaminationTest, WinnersAreShownOnTheirMaps) {
  std::vector<uint8_t> row(kRowPixels, 0);
  row[5 * 28 + 9] = 204;  // in the window of row 1, column 2
  row[27 * 28 + 27] = 102;
  const json found = Examine("maps", row).value();
  EXPECT_EQ(found["map"], json({{"height", 7}, {"width", 7}}));
  ASSERT_THAT(found["maps"], SizeIs(1)) << "the second map has no activity";
  const json& map = found["maps"][0];
  EXPECT_EQ(map["map"], 0);
  EXPECT_FLOAT_EQ(map["value"], 0.8f);
  EXPECT_EQ(map["y"], 1);
  EXPECT_EQ(map["x"], 2);
  std::string cells;
  ASSERT_TRUE(absl::Base64Unescape(map["cells"].get<std::string>(), &cells));
  std::string expected(49, '\0');
  expected[1 * 7 + 2] = '\xff';
  expected[6 * 7 + 6] = '\x80';
  EXPECT_EQ(cells, expected);
  // Training keeps the winner of each map alone.
  std::vector<uint8_t> kept(kRowPixels, 0);
  kept[5 * 28 + 9] = 204;
  EXPECT_EQ(PictureOf(found["reconstruction"]).pixels, kept);
  EXPECT_NEAR(found["relative_error"], 0.2, 1e-6);  // 0.4^2 / (0.8^2 + 0.4^2)
}

TEST_F(RowExaminationTest, ABlackRowHasNothing) {
  const json found = Examine("maps", std::vector<uint8_t>(kRowPixels, 0)).value();
  EXPECT_EQ(found["maps"], json::array());
  EXPECT_EQ(found["relative_error"], 0);
}

TEST_F(RowExaminationTest, NumbersAreScaledByThemselves) {
  std::vector<float> row(kRowPixels, 0);
  row[0] = -2;
  row[1] = 6;
  const json found =
      ExamineRow(world_.encode(), world_.Model("brightness"), {DType::kF32, row.data(), 1, kRowPixels}, {}).value();
  const Image input = PictureOf(found["input"]);
  EXPECT_EQ(input.pixels[0], 0);
  EXPECT_EQ(input.pixels[1], 255);
  EXPECT_EQ(input.pixels[2], 64);
  EXPECT_FLOAT_EQ(found["units"][0]["value"], 4);
}

TEST_F(RowExaminationTest, ErrorsOfEncodePassOn) {
  const std::vector<uint8_t> row(kRowPixels, 0);
  CallContext late;
  late.deadline = absl::UnixEpoch();
  EXPECT_EQ(
      ExamineRow(world_.encode(), world_.Model("maps"), {DType::kU8, row.data(), 1, kRowPixels}, late).status().code(),
      absl::StatusCode::kDeadlineExceeded);
}

TEST(PictureJsonTest, LongLinesAreFolded) {
  const json picture = PictureJson(std::vector<float>(50, 1), {1, 1, 50}, 0, 2);
  EXPECT_EQ(picture["channels"], 1);
  EXPECT_EQ(picture["height"], 7);
  EXPECT_EQ(picture["width"], 8);
  EXPECT_EQ(PictureOf(picture).pixels.front(), 128);
}

}  // namespace
}  // namespace kwta::server
