#include "core/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace kwta {
namespace {

TEST(Utf8, KnowsWhatIsText) {
  for (const char* text :
       {"", "plain", "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
    EXPECT_EQ(ToUtf8(text), text);
  }
  EXPECT_TRUE(IsUtf8(std::string("a\0b", 3)));
  for (const char* text : {"caf\xE9", "\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
    EXPECT_TRUE(IsUtf8(ToUtf8(text)));
  }
}

TEST(Utf8, ReplacesEachByteThatIsNoText) {
  EXPECT_EQ(ToUtf8("caf\xE9.npz"), "caf\xEF\xBF\xBD.npz");
  EXPECT_EQ(ToUtf8("\xE2\x82x\xC3\xA9"), "\xEF\xBF\xBD\xEF\xBF\xBDx\xC3\xA9");
  EXPECT_EQ(ToUtf8("\x1b[31m"), "\x1b[31m");
}

TEST(Utf8, PrintableTextDrivesNoTerminal) {
  EXPECT_EQ(ToPrintable("a\tb\n"), "a\tb\n");
  EXPECT_EQ(ToPrintable("\x1b]0;title\x07\r\x7f"), "\\u001b]0;title\\u0007\\u000d\\u007f");
  EXPECT_EQ(ToPrintable("\xC2\x9B"
                        "31m caf\xC3\xA9 \xE9"),
            "\\u009b31m caf\xC3\xA9 \xEF\xBF\xBD");
}

}  // namespace
}  // namespace kwta
