#include "server/options_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The values of the file's only key.
std::vector<std::string> ValuesOf(const std::string& value) {
  const auto entries = ParseOptionsFile("key = " + value);
  EXPECT_TRUE(entries.ok()) << entries.status();
  if (!entries.ok() || entries->size() != 1) return {};
  EXPECT_EQ(entries->front().key, "key");
  return entries->front().values;
}

std::string WhyNoOptions(const std::string& text) {
  const absl::Status status = ParseOptionsFile(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(OptionsFileTest, ValuesAreTakenWhole) {
  EXPECT_THAT(ValuesOf(R"("a#b")"), ElementsAre("a#b"));
  EXPECT_THAT(ValuesOf(R"("say \"\\hi\" \u00e9\t" # comment)"), ElementsAre("say \"\\hi\" \u00e9\t"));
  EXPECT_THAT(ValuesOf(R"('C:\none' # comment)"), ElementsAre("C:\\none"));
  EXPECT_THAT(ValuesOf("\"\""), ElementsAre(""));
  EXPECT_THAT(ValuesOf("/var/lib/c d/e#f \t# comment"), ElementsAre("/var/lib/c d/e#f"));
  EXPECT_THAT(ValuesOf("true\r\n"), ElementsAre("true"));
  EXPECT_THAT(ValuesOf("a=b"), ElementsAre("a=b"));
}

TEST(OptionsFileTest, NumbersMayBeSetApart) {
  EXPECT_THAT(ValuesOf("8_192"), ElementsAre("8192"));
  EXPECT_THAT(ValuesOf("0"), ElementsAre("0"));
  EXPECT_THAT(ValuesOf("0.5"), ElementsAre("0.5"));
  EXPECT_THAT(ValuesOf("8_GB"), ElementsAre("8_GB")) << "no number: left alone";
  EXPECT_THAT(ValuesOf("8__192"), ElementsAre("8__192"));
  EXPECT_THAT(WhyNoOptions("a = 1\nkey = 0100\n"), HasSubstr("line 2: '0100' starts with a zero"));
}

TEST(OptionsFileTest, ArraysMayGoOverLines) {
  EXPECT_THAT(ValuesOf("[\n \"/tmp\", # one\n\n '/a, b',\n /c\n]"), ElementsAre("/tmp", "/a, b", "/c"));
  EXPECT_THAT(ValuesOf("[ ]"), IsEmpty());
  EXPECT_THAT(WhyNoOptions("key = [1, 2"), HasSubstr("']' at its end"));
  EXPECT_THAT(WhyNoOptions("key = [\"a\" \"b\"]"), HasSubstr("','"));
}

TEST(OptionsFileTest, KeysCommentsAndLines) {
  const auto entries = ParseOptionsFile("# first\n; INI\n\n  max-queue-rows=5\n\"threads\" = 2\n").value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].key, "max-queue-rows");
  EXPECT_EQ(entries[0].line, 4);
  EXPECT_FALSE(entries[0].is_array);
  EXPECT_EQ(entries[1].key, "threads");
  EXPECT_THAT(ParseOptionsFile("").value(), IsEmpty());
}

TEST(OptionsFileTest, WhatMakesNoSenseSaysWhere) {
  EXPECT_THAT(WhyNoOptions("a = 1\nb = 2\na = 3\n"), HasSubstr("line 3: 'a' comes twice; line 1 has it too"));
  EXPECT_THAT(WhyNoOptions("a\n"), HasSubstr("line 1: expected the name of a flag"));
  EXPECT_THAT(WhyNoOptions("= 1\n"), HasSubstr("expected the name of a flag"));
  EXPECT_THAT(WhyNoOptions("a =\n"), HasSubstr("a value is missing"));
  EXPECT_THAT(WhyNoOptions("[server]\na = 1\n"), HasSubstr("sections are not known"));
  EXPECT_THAT(WhyNoOptions("a = \"b\n"), HasSubstr("has no second \""));
  EXPECT_THAT(WhyNoOptions("a = \"b\" c\n"), HasSubstr("something follows the value of 'a'"));
  EXPECT_THAT(WhyNoOptions("a = \"\\x\"\n"), HasSubstr("begins something unknown"));
  EXPECT_THAT(WhyNoOptions("a = \"\\u12\"\n"), HasSubstr("begins something unknown"));
}

}  // namespace
}  // namespace kwta::server
