// deploy/kwta-server.toml against the server's own flags.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/files/files.h"
#include "server/options.h"
#include "server/options_file.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

constexpr char kExample[] = KWTA_SOURCES "/deploy/kwta-server.toml";

CommandLine ParseWithConfig(const std::string& path) {
  const char* arguments[] = {"kwta-server", "--config", path.c_str()};
  return ParseCommandLine(3, arguments);
}

// The flags that a file may set and their defaults, as --help shows them; no value: the flag has no default.
std::map<std::string, std::string> FlagsOfHelp() {
  const char* arguments[] = {"kwta-server", "--help"};
  const std::string help = ParseCommandLine(2, arguments).text;
  static const std::regex flag(R"(^  --([a-z-]+)( [A-Z]+[^= ]*(?: \.\. [0-9]+)?(?:=(\S+))?)?.*)");
  static const std::set<std::string> command_line_alone = {"version", "config", "check-config"};
  std::map<std::string, std::string> flags;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(help, '\n'))) {
    std::smatch match;
    if (!std::regex_match(line, match, flag) || command_line_alone.count(match[1]) > 0) continue;
    flags[match[1]] = match[2].matched ? match[3].str() : "false";
  }
  return flags;
}

// The file's options, commented out or not: key, then value.
std::map<std::string, std::string> OptionsOfExample(std::string* uncommented) {
  const absl::StatusOr<std::string> text = ReadFile(kExample, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  static const std::regex option(R"(^#?([a-z-]+ = .*))");
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(*text, '\n'))) {
    std::smatch match;
    if (std::regex_match(line, match, option)) absl::StrAppend(uncommented, match[1].str(), "\n");
  }
  const absl::StatusOr<std::vector<OptionsFileEntry>> entries = ParseOptionsFile(*uncommented);
  EXPECT_TRUE(entries.ok()) << entries.status();
  std::map<std::string, std::string> options;
  for (const OptionsFileEntry& entry : *entries) options[entry.key] = entry.values.at(0);
  return options;
}

TEST(ExampleConfig, HasEveryFlagWithItsDefault) {
  std::string uncommented;
  const std::map<std::string, std::string> example = OptionsOfExample(&uncommented);
  const std::map<std::string, std::string> flags = FlagsOfHelp();
  EXPECT_GT(flags.size(), 30u);
  for (const auto& [flag, value] : flags) {
    const auto found = example.find(flag);
    if (found == example.end()) {
      ADD_FAILURE() << "deploy/kwta-server.toml does not have " << flag;
    } else if (!value.empty() && flag != "state-dir") {
      EXPECT_EQ(found->second, value) << flag;
    }
  }
  for (const auto& [key, value] : example) EXPECT_EQ(flags.count(key), 1u) << key << " is no flag";
}

TEST(ExampleConfig, IsAcceptedAsItIsAndWithEveryLine) {
  const CommandLine as_it_is = ParseWithConfig(kExample);
  EXPECT_FALSE(as_it_is.done) << as_it_is.text;
  EXPECT_EQ(as_it_is.options.state_directory, "/var/lib/kwta");
  EXPECT_EQ(as_it_is.options.listen_address, Options().listen_address);

  std::string uncommented;
  OptionsOfExample(&uncommented);
  const TemporaryDirectory directory;
  const CommandLine whole = ParseWithConfig(directory.Write("whole.toml", uncommented));
  EXPECT_FALSE(whole.done) << whole.text;
  EXPECT_EQ(whole.options.max_queue_bytes, Options().max_queue_bytes);
  EXPECT_EQ(whole.options.data_directories.size(), 2u);
  EXPECT_EQ(whole.options.ready_descriptor, 3);
}

TEST(ExampleConfig, AnUnknownKeyIsRefusedNamingTheNearest) {
  const TemporaryDirectory directory;
  const CommandLine line = ParseWithConfig(directory.Write("a.toml", "threads = 1\nmax-queue-row = 5\n"));
  EXPECT_TRUE(line.done);
  EXPECT_EQ(line.exit_code, 2);
  EXPECT_THAT(line.text,
              ::testing::HasSubstr("line 2: there is no option 'max-queue-row'; did you mean 'max-queue-rows'?"));
  EXPECT_THAT(ParseWithConfig(directory.Write("b.toml", "zzz = 5\n")).text, ::testing::HasSubstr("--help lists them"));
  EXPECT_THAT(ParseWithConfig(directory.Write("c.toml", "version = true\n")).text,
              ::testing::HasSubstr("there is no option 'version'"));
}

TEST(ExampleConfig, PagesAndCompletionsAreForPackagers) {
  const char* manual[] = {"kwta-server", "--manual"};
  const CommandLine page = ParseCommandLine(2, manual);
  EXPECT_TRUE(page.done);
  EXPECT_EQ(page.exit_code, 0);
  EXPECT_THAT(page.text, ::testing::HasSubstr("\\fB\\-\\-max\\-queue\\-rows\\fR"));
  EXPECT_THAT(page.text, ::testing::Not(::testing::HasSubstr("completion")));
  const char* completion[] = {"kwta-server", "--completion", "bash"};
  EXPECT_THAT(ParseCommandLine(3, completion).text, ::testing::HasSubstr("':--max-queue-rows')"));
}

}  // namespace
}  // namespace kwta::server
