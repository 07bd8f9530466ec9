#include "command_line/usage_error.h"

#include <gtest/gtest.h>

#include "tests/command_line/sample_program.h"

namespace kwta::command_line {
namespace {

// What is wrong with the words; empty if nothing is.
std::string ErrorOf(const std::vector<std::string>& words) {
  SampleProgram program;
  try {
    Parse(program.app(), words);
  } catch (const CLI::ParseError& error) {
    const CLI::App* named = &program.app();
    while (!named->get_subcommands().empty()) named = named->get_subcommands().front();
    return UsageErrorText(*named, words, error);
  }
  return "";
}

TEST(UsageError, NamesAFlagsValueThatIsNeitherTrueNorFalse) {
  EXPECT_EQ(ErrorOf({"--json=true", "go", "home", "--kind=fast", "--no-left=off"}), "");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--left=maybe"}),
            "--left has the value 'maybe'; expected no value, true or false");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--no-left=x"}),
            "--no-left has the value 'x'; expected no value, true or false");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--no-left=99999999999999999999"}),
            "--no-left has the value '99999999999999999999'; expected no value, true or false");
  EXPECT_EQ(ErrorOf({"--json=perhaps", "list"}), "--json has the value 'perhaps'; expected no value, true or false");
}

TEST(UsageError, SaysInPlainWordsWhatIsTooMuchOrMissing) {
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--file", "a", "--file", "b"}),
            "--file is given twice or more; give it once");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--file"}), "--file has no value; expected one behind it");
  EXPECT_EQ(ErrorOf({"go", "home", "away", "--kind=fast"}), "'go' takes no argument 'away'");
  EXPECT_EQ(ErrorOf({"go", "home", "away", "far", "--kind=fast"}), "'go' takes no arguments 'away', 'far'");
  EXPECT_EQ(ErrorOf({"go", "home"}), "--kind is required");
}

TEST(UsageError, GuessesTheOptionThatWasMeant) {
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--fil=a"}), "there is no option '--fil'; did you mean '--file'?");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--sever", "a"}),
            "there is no option '--sever'; did you mean '--server'?");
  EXPECT_EQ(ErrorOf({"go", "home", "--kind=fast", "--elephant"}), "there is no option '--elephant'");
}

}  // namespace
}  // namespace kwta::command_line
