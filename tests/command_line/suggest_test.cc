#include "command_line/suggest.h"

#include <gtest/gtest.h>

namespace kwta::command_line {
namespace {

const std::vector<std::string> kCommands = {"train", "encode", "evaluate", "status", "jobs", "watch"};

TEST(Nearest, FindsWhatWasMistyped) {
  EXPECT_EQ(Nearest("statsu", kCommands), "status");
  EXPECT_EQ(Nearest("stauts", kCommands), "status");
  EXPECT_EQ(Nearest("job", kCommands), "jobs");
  EXPECT_EQ(Nearest("trian", kCommands), "train");
  EXPECT_EQ(Nearest("encoed", kCommands), "encode");
  EXPECT_EQ(Nearest("--jsn", {"--json", "--tls"}), "--json");
}

TEST(Nearest, SaysNothingRatherThanNonsense) {
  EXPECT_EQ(Nearest("dance", kCommands), "");
  EXPECT_EQ(Nearest("", kCommands), "");
  EXPECT_EQ(Nearest(std::string(1000, 's'), kCommands), "");
}

}  // namespace
}  // namespace kwta::command_line
