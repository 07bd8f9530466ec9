#include "command_line/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "tests/command_line/sample_program.h"

namespace kwta::command_line {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<ManualPage> Pages() {
  const SampleProgram program;
  return ManualPages(program.app(), "thing 1.2.3", 1, {"other(8)"});
}

TEST(Manual, HasAPageForEachCommand) {
  const std::vector<ManualPage> pages = Pages();
  ASSERT_EQ(pages.size(), 4u);
  EXPECT_EQ(pages[1].name, "thing-go");
  EXPECT_EQ(pages[3].name, "thing-list-short");
  EXPECT_THAT(pages[0].text, AllOf(HasSubstr(".TH THING 1 \"\" \"thing 1.2.3\""), HasSubstr("thing \\- Does things\n"),
                                   HasSubstr(".SH COMMANDS\n.TP\n\\fBgo\\fR\nGo somewhere\n"),
                                   HasSubstr("thing\\-go(1), thing\\-list(1), other(8)"), Not(HasSubstr("secret")),
                                   HasSubstr("also from THING_SERVER")));
  EXPECT_THAT(pages[1].text,
              AllOf(HasSubstr("\\fBthing go\\fR"), HasSubstr("\\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIFILE"),
                    HasSubstr("one of fast, slow; required"), HasSubstr(".SS \"Data\""), HasSubstr("thing(1)")));
}

TEST(Manual, KeepsExamplesAndExitCodesApart) {
  EXPECT_THAT(Pages()[0].text,
              HasSubstr(".SH EXAMPLES\n.nf\n  thing go \\-\\-file \\(aqa b\\(aq\n.fi\n\\(aqthing help\\(aq explains.\n"
                        ".SH EXIT STATUS\n0 success.\n"));
}

TEST(Manual, NoTextIsTakenForARequest) {
  for (const ManualPage& page : Pages()) {
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(page.text, '\n'))) {
      if (line.empty() || line[0] != '.') continue;
      EXPECT_THAT(line, ::testing::MatchesRegex("\\.(\\\\\"|TH|SH|SS|TP|PP|nf|fi).*")) << page.name;
    }
  }
  EXPECT_THAT(Pages()[0].text, HasSubstr("\n\\&.dot\n"));
}

}  // namespace
}  // namespace kwta::command_line
