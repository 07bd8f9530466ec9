#include "client/cli/json.h"

#include <gtest/gtest.h>

namespace kwta::client::cli {
namespace {

TEST(Json, NamesThatAreNoTextDoNotEndTheProgram) {
  EXPECT_EQ(ToJson(nlohmann::json{{"output", "caf\xE9.npz"}}), "{\"output\":\"caf\xEF\xBF\xBD.npz\"}");
  EXPECT_EQ(ToJson(nlohmann::json{{"output", "\x1b[31m"}}), R"({"output":"\u001b[31m"})");
}

TEST(Json, IsALineExceptForFiles) {
  EXPECT_EQ(ToJson(nlohmann::json{{"a", 1}, {"b", 2}}), R"({"a":1,"b":2})");
  EXPECT_EQ(ToJsonLines(nlohmann::json{{"a", 1}}), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace kwta::client::cli
