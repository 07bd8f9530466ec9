#include "command_line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/command_line/sample_program.h"
#include "tests/temporary_directory.h"

namespace kwta::command_line {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// Runs a command line of sh and returns the lines that it prints.
std::vector<std::string> LinesOf(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t bytes = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), bytes);
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
  return absl::StrSplit(output, '\n', absl::SkipEmpty());
}

bool Has(const std::string& program) {
  return std::system(absl::StrCat("command -v ", program, " >/dev/null 2>&1").c_str()) == 0;
}

class CompletionTest : public ::testing::Test {
 protected:
  std::string Script(const std::string& shell) {
    const SampleProgram program;
    directory_.Write(shell, Completion(program.app(), shell));
    return directory_.File(shell);
  }

  // What bash offers for the last of `words`, which are its words.
  std::vector<std::string> Bash(const std::string& words) {
    return LinesOf(
        absl::StrCat("bash -c 'source ", Script("bash"), "; COMP_WORDS=(", words,
                     "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _thing; printf \"%s\\n\" \"${COMPREPLY[@]}\"'"));
  }

  std::vector<std::string> Fish(const std::string& line) {
    std::vector<std::string> offered;
    for (const std::string& each : LinesOf(absl::StrCat("HOME=", directory_.path(), " fish --no-config -c 'source ",
                                                        Script("fish"), "; complete -C \"", line, "\"'"))) {
      offered.push_back(each.substr(0, each.find('\t')));
    }
    return offered;
  }

  TemporaryDirectory directory_;
};

TEST_F(CompletionTest, EveryScriptParses) {
  for (const std::string& shell : Shells()) {
    const std::string script = Script(shell);
    if (Has(shell)) LinesOf(absl::StrCat(shell, " -n ", script));
  }
}

TEST_F(CompletionTest, BashOffersCommandsOptionsAndChoices) {
  EXPECT_THAT(Bash("thing g"), UnorderedElementsAre("go"));
  EXPECT_THAT(Bash("thing hid"), IsEmpty());
  EXPECT_THAT(Bash("thing --j"), UnorderedElementsAre("--json"));
  EXPECT_THAT(Bash("thing --server go go --ki"), UnorderedElementsAre("--kind"));
  EXPECT_THAT(Bash("thing --server go --ki"), IsEmpty()) << "the first 'go' is a value";
  EXPECT_THAT(Bash("thing go --kind \"\""), UnorderedElementsAre("fast", "slow"));
  EXPECT_THAT(Bash("thing go --kind = f"), UnorderedElementsAre("fast"));
  EXPECT_THAT(Bash("thing go --js"), UnorderedElementsAre("--json"))
      << "the program's options stand behind its commands";
  EXPECT_THAT(Bash("thing list s"), UnorderedElementsAre("short"));
}

TEST_F(CompletionTest, FishOffersTheSame) {
  if (!Has("fish")) GTEST_SKIP() << "fish is not installed";
  EXPECT_THAT(Fish("thing g"), UnorderedElementsAre("go"));
  EXPECT_THAT(Fish("thing go --kind "), UnorderedElementsAre("fast", "slow"));
  EXPECT_THAT(Fish("thing go --js"), UnorderedElementsAre("--json"));
  EXPECT_THAT(Fish("thing --server go --"), Not(Contains("--kind")));
  EXPECT_THAT(Fish("thing list s"), Contains("short"));
}

}  // namespace
}  // namespace kwta::command_line
