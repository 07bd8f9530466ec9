#include "core/research/reproduction/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::report_test {
namespace {

using testing::HasSubstr;
using testing::Not;

Report Example() {
  Report report;
  report.name = "example";
  report.title = "Errors & spreads";
  ReportTable table{"Table <1>", "test error, %", {}};
  table.rows.push_back({"k = 25", 1.35, {1.5, 1.3, 1.4}, {{{"seed", 1}}}, ""});
  table.rows.push_back({"deep", std::nullopt, {}, nullptr, "not measured"});
  report.tables.push_back(table);
  report.pictures.push_back({"Filters", "each by itself", "\x89PNG", ""});
  report.pictures.push_back({"Lines", "of a sum", "", "<svg></svg>"});
  report.pictures.back().numbers.push_back({{"name", "up"}, {"x", {1.0, 2.0}}, {"y", {10.0, 100.0}}});
  report.claims = {{"this is so", true}, {"that is so", false}};
  return report;
}

TEST(Report, AsAPageShowsPaperMeanAndRangeAndNeedsNoOtherFile) {
  const std::string html = ReportHtml(Example());
  EXPECT_THAT(html, HasSubstr("Errors &amp; spreads"));
  EXPECT_THAT(html, HasSubstr("Table &lt;1&gt;"));
  EXPECT_THAT(html, HasSubstr("<td>1.35</td><td>1.40</td><td>1.30 .. 1.50</td><td>3</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"note\">not measured</td>"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,iVBORw=="));  // the bytes 89 50 4e 47
  EXPECT_THAT(html, HasSubstr("<svg></svg>"));
  EXPECT_THAT(html, HasSubstr("that is so: does NOT hold here"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
}

TEST(Report, SaysThatItIsUnfinishedUntilItIsNot) {
  Report report = Example();
  EXPECT_THAT(ReportHtml(report), HasSubstr("Unfinished"));
  EXPECT_EQ(ReportJson(report)["finished"], false);
  report.finished = true;
  EXPECT_THAT(ReportHtml(report), Not(HasSubstr("Unfinished")));
  EXPECT_EQ(ReportJson(report)["finished"], true);
}

TEST(Report, AsJsonHasEveryNumber) {
  const nlohmann::json json = ReportJson(Example());
  const nlohmann::json& row = json["tables"][0]["rows"][0];
  EXPECT_EQ(row["paper"], 1.35);
  EXPECT_NEAR(row["mean"].get<double>(), 1.4, 1e-12);
  EXPECT_EQ(row["values"].size(), 3u);
  EXPECT_EQ(row["details"][0]["seed"], 1);
  EXPECT_FALSE(json["tables"][0]["rows"][1].contains("mean"));
  EXPECT_EQ(json["claims"][1]["holds"], false);
  EXPECT_EQ(json["pictures"].size(), 2u);
  EXPECT_EQ(json["charts"], nlohmann::json::parse(R"([{"title": "Lines", "caption": "of a sum",
                                                     "series": [{"name": "up", "x": [1.0, 2.0], "y": [10.0, 100.0]}]}])"));
}

TEST(Report, AsTextHasTablesAndClaims) {
  const std::string text = ReportText(Example());
  EXPECT_THAT(text, HasSubstr("1.30 .. 1.50"));
  EXPECT_THAT(text, HasSubstr("not measured"));
  EXPECT_THAT(text, HasSubstr("DOES NOT HOLD: that is so"));
}

}  // namespace
}  // namespace kwta::report_test
