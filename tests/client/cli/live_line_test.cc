#include "client/cli/live_line.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace kwta::client::cli {
namespace {

TEST(LiveLine, CutsBetweenCharacters) {
  EXPECT_EQ(CutToColumns("abc", 5), "abc");
  EXPECT_EQ(CutToColumns("abc", 3), "abc");
  EXPECT_EQ(CutToColumns("abc", 2), "ab");
  EXPECT_EQ(CutToColumns("caf\xC3\xA9s", 4), "caf\xC3\xA9");
  EXPECT_EQ(CutToColumns("\xE2\x82\xAC\xE2\x82\xAC", 1), "\xE2\x82\xAC");
  EXPECT_EQ(CutToColumns("abc", 0), "");
}

}  // namespace
}  // namespace kwta::client::cli
