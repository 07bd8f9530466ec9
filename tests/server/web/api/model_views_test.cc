#include "server/web/api/model_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "core/io/images/png.h"
#include "tests/server/web/api/api_fixture.h"

namespace kwta::server {
namespace {

using nlohmann::json;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ModelViewsTest : public ::testing::Test {
 protected:
  ModelViews Views() {
    return {
        world_.models(), world_.encode(), {ApiWorld::kData}, [this](const ServedModel&) { return world_.live_use; }};
  }
  static void ExpectError(const absl::StatusOr<json>& result, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(result.status().code(), code) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(text));
  }

  ApiWorld world_;
};

TEST_F(ModelViewsTest, UnitsComeByUseOrByNumber) {
  ModelViews views = Views();
  const json by_use = views.Units({"maps"}, true, 0, 10).value();
  EXPECT_EQ(by_use["units"], json({0, 1}));
  EXPECT_EQ(by_use["total"], 2);
  EXPECT_EQ(by_use["order"], "use");
  EXPECT_GT(by_use["use"][0], 0.1);
  EXPECT_EQ(by_use["use"][1], 0);
  EXPECT_EQ(by_use["use_source"], json({{"kind", "training"}, {"rows", 512}}));
  EXPECT_EQ(by_use["picture"], json({{"channels", 1}, {"height", 1}, {"width", 1}, {"projected", false}}));
  const json second = views.Units({"brightness", 1}, false, 1, 1).value();
  EXPECT_EQ(second["version"], 1);
  EXPECT_EQ(second["units"], json({1}));
  EXPECT_EQ(second["order"], "number");
}

TEST_F(ModelViewsTest, LiveRowsCountOnceThereAreEnough) {
  ModelViews views = Views();
  world_.live_use.rows = 999;
  world_.live_use.rows_of_unit = {0, 250};
  EXPECT_EQ(views.Units({"brightness"}, true, 0, 2).value()["use_source"]["kind"], "training");
  world_.live_use.rows = 1000;
  const json live = views.Units({"brightness"}, true, 0, 2).value();
  EXPECT_EQ(live["use_source"], json({{"kind", "live"}, {"rows", 1000}}));
  EXPECT_EQ(live["units"], json({1, 0}));
  EXPECT_EQ(live["use"], json({0.25, 0}));
  // A map's use is the share of its positions.
  world_.live_use.rows_of_unit.assign(98, 0);
  std::fill_n(world_.live_use.rows_of_unit.begin(), 49, 100);
  EXPECT_FLOAT_EQ(views.Units({"maps"}, true, 0, 1).value()["use"][0], 0.1f);
  // Codes of another width are of a version that was replaced.
  EXPECT_EQ(views.Units({"brightness"}, true, 0, 2).value()["use_source"]["kind"], "training");
}

TEST_F(ModelViewsTest, WithoutTheTrainingDataUnitsComeByNumber) {
  ModelViews views = Views();
  const json units = views.Units({"orphan"}, true, 0, 2).value();
  EXPECT_EQ(units["order"], "number");
  EXPECT_EQ(units["use"], json::array());
  EXPECT_THAT(units["use_problem"].get<std::string>(), HasSubstr("gone.npy"));
  const json activity = views.Activity({"orphan"}).value();
  EXPECT_FALSE(activity.contains("frequency"));
  EXPECT_THAT(activity["problem"].get<std::string>(), HasSubstr("gone.npy"));
  ExpectError(views.Unit({"orphan"}, 0), absl::StatusCode::kNotFound, "gone.npy");
}

TEST_F(ModelViewsTest, RangesAreChecked) {
  ModelViews views = Views();
  ExpectError(views.Units({"brightness"}, true, 2, 1), absl::StatusCode::kOutOfRange, "from is 2; expected 0 .. 1");
  ExpectError(views.Units({"brightness"}, true, 0, 0), absl::StatusCode::kInvalidArgument,
              "count is 0; expected 1 .. 512");
  ExpectError(views.Units({"brightness"}, true, 0, 513), absl::StatusCode::kInvalidArgument, "count is 513");
  ExpectError(views.Unit({"brightness"}, 2), absl::StatusCode::kOutOfRange, "unit is 2; expected 0 .. 1");
  ExpectError(views.ExamineSample({"brightness"}, 512, {}), absl::StatusCode::kOutOfRange,
              "row is 512; expected 0 .. 511");
  ExpectError(views.Activity({"nobody"}), absl::StatusCode::kNotFound, "nobody");
  ExpectError(views.Units({"brightness", 7}, true, 0, 1), absl::StatusCode::kNotFound, "7");
  EXPECT_EQ(views.Pictures({"brightness"}, {2}, 1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(views.Pictures({"brightness"}, {0}, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(views.Pictures({"brightness"}, {0}, 513).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelViewsTest, PicturesAreTiledWithoutGaps) {
  const absl::StatusOr<std::string> png = Views().Pictures({"brightness"}, {1, 0, 1}, 2);
  ASSERT_TRUE(png.ok()) << png.status();
  const absl::StatusOr<Image> image = DecodePng(*png, "units.png", 1 << 20);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 56);
  EXPECT_EQ(image->height, 56);
}

TEST_F(ModelViewsTest, ActivityIsCountedInHistograms) {
  world_.live_use.fraction_variance_unexplained = 0.5;
  const json activity = Views().Activity({"brightness"}).value();
  EXPECT_EQ(activity["units"], 2);
  EXPECT_EQ(activity["unexplained"], json({{"training", 0.25}, {"live", 0.5}}));
  EXPECT_EQ(activity["active_fraction"], 0.5);
  const json& frequency = activity["frequency"];
  EXPECT_EQ(frequency["never"], 1);
  EXPECT_EQ(frequency["bounds"].size(), frequency["counts"].size() + 1);
  EXPECT_DOUBLE_EQ(frequency["bounds"].back(), 1);
  EXPECT_EQ(frequency["counts"].back(), 1);  // the unit that every row activates
  const std::vector<int64_t> counts = activity["activities"]["counts"];
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), 512);
}

TEST_F(ModelViewsTest, AUnitShowsTheRowsThatExciteItMost) {
  ModelViews views = Views();
  const json unit = views.Unit({"brightness"}, 0).value();
  EXPECT_EQ(unit["samples"], 512);
  ASSERT_THAT(unit["rows"], SizeIs(ModelStudy::kExciting));
  for (size_t i = 1; i < ModelStudy::kExciting; ++i) EXPECT_GE(unit["rows"][i - 1]["value"], unit["rows"][i]["value"]);
  EXPECT_EQ(unit["rows"][0]["picture"]["width"], 28);
  EXPECT_EQ(views.Unit({"brightness"}, 1).value()["rows"], json::array());
}

TEST_F(ModelViewsTest, SamplesAndBodiesAreExamined) {
  ModelViews views = Views();
  const json sample = views.ExamineSample({"brightness"}, 3, {}).value();
  EXPECT_EQ(sample["sample"], json({{"row", 3}, {"rows", 512}}));
  EXPECT_EQ(sample["units"][0]["unit"], 0);
  const json raw = views.ExamineBody({"brightness"}, std::string(784, '\xff'), true, {}).value();
  EXPECT_FLOAT_EQ(raw["units"][0]["value"], 784);
  EXPECT_FALSE(raw.contains("sample"));
  const Image half{1, 56, 56, std::vector<uint8_t>(56 * 56, 51)};
  const json picture = views.ExamineBody({"brightness"}, EncodePng(half).value(), false, {}).value();
  EXPECT_NEAR(picture["units"][0]["value"], 784 * 0.2, 1e-2);
}

TEST_F(ModelViewsTest, BodiesThatAreNoRowOrPictureAreRefused) {
  ModelViews views = Views();
  ExpectError(views.ExamineBody({"brightness"}, "short", true, {}), absl::StatusCode::kInvalidArgument,
              "the body has 5 bytes; expected 784");
  ExpectError(views.ExamineBody({"brightness"}, "<b>no picture</b>", false, {}), absl::StatusCode::kInvalidArgument,
              "neither a PNG nor a JPEG");
}

}  // namespace
}  // namespace kwta::server
