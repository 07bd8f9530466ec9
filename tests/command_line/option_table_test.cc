#include "command_line/option_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/command_line/sample_program.h"

namespace kwta::command_line {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const OptionRow& Find(const CommandRow& command, const std::string& name) {
  for (const OptionRow& option : command.options) {
    for (const std::string& other : option.names) {
      if (other == name) return option;
    }
  }
  ADD_FAILURE() << "no option " << name;
  static const OptionRow none;
  return none;
}

TEST(OptionTable, ListsWhatHelpShows) {
  const SampleProgram program;
  const std::vector<CommandRow> commands = ListCommands(program.app());
  ASSERT_EQ(commands.size(), 4u);
  EXPECT_THAT(commands[0].path, ElementsAre("thing"));
  EXPECT_THAT(commands[1].path, ElementsAre("thing", "go"));
  EXPECT_THAT(commands[3].path, ElementsAre("thing", "list", "short"));
  for (const OptionRow& option : commands[0].options) EXPECT_NE(option.help, "Not told");
  EXPECT_THAT(Children(commands, commands[0]), ElementsAre(&commands[1], &commands[2]));
  EXPECT_THAT(Children(commands, commands[2]), ElementsAre(&commands[3]));
}

TEST(OptionTable, TellsValuesChoicesAndRangesApart) {
  const SampleProgram program;
  const std::vector<CommandRow> commands = ListCommands(program.app());
  const OptionRow& server = Find(commands[0], "--server");
  EXPECT_EQ(server.value, "HOST:PORT");
  EXPECT_EQ(server.environment, "THING_SERVER");
  EXPECT_EQ(Find(commands[0], "--json").value, "");
  const OptionRow& kind = Find(commands[1], "--kind");
  EXPECT_THAT(kind.choices, ElementsAre("fast", "slow"));
  EXPECT_EQ(kind.value, "TEXT");
  EXPECT_TRUE(kind.required);
  const OptionRow& steps = Find(commands[1], "--steps");
  EXPECT_EQ(steps.range, "1 .. 9");
  EXPECT_EQ(steps.value, "INT");
  EXPECT_THAT(steps.choices, IsEmpty());
  const OptionRow& file = Find(commands[1], "--file");
  EXPECT_THAT(file.names, ElementsAre("-f", "--file"));
  EXPECT_TRUE(file.is_path);
  EXPECT_EQ(file.group, "Data");
  EXPECT_FALSE(kind.is_path);
  EXPECT_TRUE(Find(commands[1], "PLACE").positional);
  EXPECT_THAT(Find(commands[1], "--left").names, ElementsAre("--left", "--no-left"));
}

}  // namespace
}  // namespace kwta::command_line
