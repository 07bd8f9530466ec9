// The completions and manual pages of kwta's real table of options.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "client/cli/command_line.h"
#include "command_line/completion.h"
#include "command_line/manual.h"
#include "command_line/option_table.h"

namespace kwta::client::cli {
namespace {

using ::testing::HasSubstr;

class ShellFilesTest : public ::testing::Test {
 protected:
  GlobalOptions global_;
  Action action_;
  std::unique_ptr<CLI::App> app_ = BuildCommandLine(&global_, &action_);
};

TEST_F(ShellFilesTest, CompletionsListEveryCommandAndOption) {
  const std::vector<command_line::CommandRow> commands = command_line::ListCommands(*app_);
  EXPECT_GT(commands.size(), 20u);
  for (const std::string& shell : command_line::Shells()) {
    const std::string script = command_line::Completion(*app_, shell);
    for (const command_line::CommandRow& command : commands) {
      EXPECT_THAT(script, HasSubstr(command.path.back())) << shell;
      for (const command_line::OptionRow& option : command.options) {
        if (option.positional) continue;
        for (const std::string& name : option.names) {
          const std::string word = shell == "fish" ? name.substr(name.find_first_not_of('-')) : name;
          EXPECT_THAT(script, HasSubstr(word)) << shell << ": " << command.path.back();
        }
      }
    }
  }
}

TEST_F(ShellFilesTest, EveryCommandHasAManualPageOfItsOwn) {
  std::set<std::string> names;
  for (const command_line::ManualPage& page : command_line::ManualPages(*app_, "kwta 1", 1, {"kwta-server(8)"})) {
    EXPECT_TRUE(names.insert(page.name).second) << page.name;
    EXPECT_THAT(page.text, HasSubstr("\n.SH EXAMPLES\n")) << page.name;
    EXPECT_THAT(page.text, HasSubstr("\n.SH SEE ALSO\n")) << page.name;
  }
  EXPECT_EQ(names.count("kwta"), 1u);
  EXPECT_EQ(names.count("kwta-models-rollback"), 1u);
  EXPECT_EQ(names.count("kwta-manual"), 0u);
}

}  // namespace
}  // namespace kwta::client::cli
