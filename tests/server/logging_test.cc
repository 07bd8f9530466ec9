#include "server/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <string>

#include "nlohmann/json.hpp"

namespace kwta::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LoggingTest : public ::testing::Test {
 protected:
  // What a message becomes, without the end of the line.
  static std::string Line(bool json, const std::string& message) {
    std::ostringstream out;
    spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out));
    logger.set_formatter(LogFormatter(json));
    logger.warn("{}", message);
    const std::string text = out.str();
    EXPECT_THAT(text, EndsWith("\n"));
    return text.substr(0, text.size() - 1);
  }
};

TEST_F(LoggingTest, TextIsForPeople) {
  const std::string line =
      Line(false, WithFields("call", {{"method", "Encode"}, {"caller", ""}, {"code", "INTERNAL"}}));
  EXPECT_THAT(line, MatchesRegex("20..-..-.. ..:..:..\\.... warning call method=Encode code=INTERNAL"));
}

TEST_F(LoggingTest, JsonIsForPrograms) {
  const auto json = nlohmann::json::parse(Line(true, WithFields("a \"call\"", {{"error", "one\ntwo"}})));
  EXPECT_EQ(json["message"], "a \"call\"");
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["error"], "one\ntwo");
  EXPECT_THAT(json["time"].get<std::string>(), MatchesRegex("20..-..-..T..:..:..\\....Z"));
}

TEST_F(LoggingTest, ALineStaysALine) {
  const std::string forged = WithFields("call", {{"request_id", "1\n2026-01-01 error forged"}});
  EXPECT_THAT(Line(false, forged), HasSubstr("request_id=1 2026-01-01 error forged"));
  EXPECT_THAT(Line(true, forged), testing::Not(HasSubstr("\n")));
  EXPECT_NO_THROW(Line(true, "not \xff UTF-8"));
  EXPECT_THAT(Line(false,
                   "a\x1b[2Jb\x7f"
                   "c\xc2\x9b"
                   "d\xff"),
              EndsWith("a [2Jb c d\xEF\xBF\xBD"));
}

TEST_F(LoggingTest, FieldsAreNotForged) {
  const std::string evil =
      "1\x1e"
      "code\x1f"
      "OK";
  for (const std::string& message : {WithFields("call", {{"request_id", evil}}), WithFields(evil, {}), evil}) {
    const auto json = nlohmann::json::parse(Line(true, message));
    EXPECT_FALSE(json.contains("code")) << json;
    EXPECT_THAT(Line(false, message), testing::Not(HasSubstr("code=OK")));
  }
  EXPECT_EQ(nlohmann::json::parse(Line(true, WithFields("call", {{"request_id", evil}})))["request_id"], "1 code OK");
}

}  // namespace
}  // namespace kwta::server
