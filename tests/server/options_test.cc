#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OptionsTest : public ::testing::Test {
 protected:
  ~OptionsTest() override {
    for (const std::string& name : variables_) ::unsetenv(name.c_str());
  }

  void SetEnvironment(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    variables_.push_back(name);
  }

  static CommandLine Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "kwta-server");
    return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
  }

  static void ExpectUsageError(const std::vector<const char*>& arguments, const std::string& text) {
    const CommandLine line = Parse(arguments);
    EXPECT_TRUE(line.done);
    EXPECT_EQ(line.exit_code, 2);
    EXPECT_THAT(line.text, HasSubstr(text));
  }

  TemporaryDirectory directory_;
  std::vector<std::string> variables_;
};

TEST_F(OptionsTest, SaysInPlainWordsWhatIsWrong) {
  ExpectUsageError({"--stat-dir", "x"},
                   "kwta-server: there is no option '--stat-dir'; did you mean '--state-dir'?\nRun");
  ExpectUsageError({"--insecure=maybe"}, "--insecure has the value 'maybe'; expected no value, true or false");
  ExpectUsageError({"extra"}, "'kwta-server' takes no argument 'extra'");
  ExpectUsageError({"--listen"}, "--listen has no value; expected one behind it");
  const std::string file = directory_.Write("options.toml", "insecure = \"maybe\"\n");
  ExpectUsageError({"--config", file.c_str()}, "--insecure has the value 'maybe'; expected no value, true or false");
}

TEST_F(OptionsTest, Defaults) {
  const CommandLine line = Parse({});
  EXPECT_FALSE(line.done) << line.text;
  EXPECT_EQ(line.options.state_directory, "kwta-data");
  EXPECT_EQ(line.options.listen_address, "127.0.0.1:8500");
  EXPECT_EQ(line.options.http_address, "127.0.0.1:8501");
  EXPECT_EQ(line.options.max_batch_rows, 256);
  EXPECT_EQ(line.options.max_queue_rows, 4096);
  EXPECT_EQ(line.options.max_queue_bytes, 268435456);
  EXPECT_EQ(line.options.max_queue_milliseconds, 20);
  EXPECT_EQ(line.options.batch_linger_milliseconds, 0);
}

TEST_F(OptionsTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  directory_.Write("kwta.toml", "threads = 1\nmax-batch-rows = 1\nmax-queue-rows = 1\n");
  const std::string config = directory_.File("kwta.toml");
  SetEnvironment("KWTA_THREADS", "2");
  SetEnvironment("KWTA_MAX_BATCH_ROWS", "2");
  const CommandLine line = Parse({"--config", config.c_str(), "--threads", "3"});
  ASSERT_FALSE(line.done) << line.text;
  EXPECT_EQ(line.options.threads, 3);
  EXPECT_EQ(line.options.max_batch_rows, 2);
  EXPECT_EQ(line.options.max_queue_rows, 1);
}

TEST_F(OptionsTest, TheEnvironmentMayNameTheFile) {
  directory_.Write("kwta.ini", "; as INI files have it\nmax-queue-rows = 77\n");
  SetEnvironment("KWTA_CONFIG", directory_.File("kwta.ini"));
  EXPECT_EQ(Parse({}).options.max_queue_rows, 77);
}

TEST_F(OptionsTest, DataDirectoriesRepeatAndReplaceTheEnvironment) {
  SetEnvironment("KWTA_DATA_DIR", "/from/environment");
  EXPECT_THAT(Parse({}).options.data_directories, ElementsAre("/from/environment"));
  EXPECT_THAT(Parse({"--data-dir", "/a", "--data-dir=/b"}).options.data_directories, ElementsAre("/a", "/b"));
}

TEST_F(OptionsTest, BadValuesAreUsageErrorsThatNameTheFlag) {
  ExpectUsageError({"--threads", "many"}, "--threads");
  ExpectUsageError({"--max-batch-rows", "0"}, "--max-batch-rows");
  ExpectUsageError({"--trainer-niceness=20"}, "--trainer-niceness");
  ExpectUsageError({"--drain-grace", "-1"}, "--drain-grace");
  ExpectUsageError({"--log-level", "shout"}, "--log-level");
  ExpectUsageError({"--no-such-flag"}, "no-such-flag");
  ExpectUsageError({"stray"}, "stray");
  SetEnvironment("KWTA_MAX_QUEUE_ROWS", "-5");
  ExpectUsageError({}, "--max-queue-rows");
}

TEST_F(OptionsTest, BadFilesAreUsageErrors) {
  ExpectUsageError({"--config", "/no/such/file.toml"}, "/no/such/file.toml");
  directory_.Write("kwta.toml", "no-such-key = 1\n");
  const std::string config = directory_.File("kwta.toml");
  ExpectUsageError({"--config", config.c_str()}, "no-such-key");
}

TEST_F(OptionsTest, HelpAndVersion) {
  const CommandLine help = Parse({"--help"});
  EXPECT_TRUE(help.done);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.text, AllOf(HasSubstr("Examples:"), HasSubstr("--max-queue-rows"), HasSubstr("Exit codes")));
  const CommandLine version = Parse({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.text, HasSubstr("kwta-server 0."));
}

// Those that begin with the program; the shell's own words, such as 3>file, end an example.
TEST_F(OptionsTest, TheExamplesOfTheHelpStart) {
  int examples = 0;
  for (const absl::string_view line : absl::StrSplit(Parse({"--help"}).text, '\n')) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (!absl::StartsWith(line, "  ") || words.empty() || words.front() != "kwta-server") continue;
    std::vector<const char*> arguments;
    for (size_t i = 1; i < words.size() && !absl::StrContains(words[i], '>'); ++i)
      arguments.push_back(words[i].c_str());
    const CommandLine example = Parse(arguments);
    EXPECT_FALSE(example.done) << line << "\n" << example.text;
    ++examples;
  }
  EXPECT_EQ(examples, 3);
}

TEST_F(OptionsTest, OtherMachinesAreLetInKnowingly) {
  const std::string why = "can be reached from other machines";
  ExpectUsageError({"--listen", "0.0.0.0:8500"}, why);
  ExpectUsageError({"--http", "[::]:8501"}, "'[::]:8501' can be reached from other machines");
  ExpectUsageError({"--http", "[::]:8501"}, "--insecure-http");
  ExpectUsageError({"--http", "[::]:8501", "--tls-cert", "c", "--tls-key", "k"}, why);
  EXPECT_FALSE(Parse({"--http", "[::]:8501", "--tls-cert", "c", "--tls-key", "k", "--tokens", "t"}).done);
  EXPECT_FALSE(Parse({"--http", "[::]:8501", "--insecure-http"}).done);
  ExpectUsageError({"--listen", "0.0.0.0:8500", "--tokens", "t"}, why);
  ExpectUsageError({"--listen", "0.0.0.0:8500", "--tls-cert", "c", "--tls-key", "k"}, why);
  EXPECT_FALSE(Parse({"--listen", "[::1]:8500", "--http", "localhost:0"}).done);
  EXPECT_FALSE(Parse({"--listen", "0.0.0.0:8500", "--insecure"}).done);
  EXPECT_FALSE(Parse({"--listen", "0.0.0.0:8500", "--tls-cert", "c", "--tls-key", "k", "--tokens", "t"}).done);
  EXPECT_FALSE(Parse({"--listen", "0.0.0.0:8500", "--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a"}).done);
  SetEnvironment("KWTA_INSECURE", "true");
  EXPECT_TRUE(Parse({"--listen", "0.0.0.0:8500"}).options.insecure);
}

TEST_F(OptionsTest, NumbersAreReadOneWayEverywhere) {
  for (const char* flag : {"--batch-linger-ms", "--max-queue-ms", "--drain-delay", "--drain-grace", "--model-poll",
                           "--trainer-stop-seconds", "--threads", "--max-queue-rows"}) {
    for (const char* value : {"nan", "inf", "0x10", "+1", "1e", "-1", "", "true"})
      ExpectUsageError({flag, value}, flag);
  }
  for (const char* value : {"nan", "-1", "8XB", "0x10", ""})
    ExpectUsageError({"--model-memory", value}, "--model-memory");
  ExpectUsageError({"--max-queue-rows", "0"}, "1 .. 1099511627776");
  EXPECT_EQ(Parse({"--max-queue-rows", "0100"}).options.max_queue_rows, 100) << "not octal";
  EXPECT_EQ(Parse({"--model-memory", "8GB"}).options.model_memory_bytes, int64_t{8} << 30);
  EXPECT_EQ(Parse({"--model-poll", "0.5"}).options.model_poll_seconds, 0.5);
  SetEnvironment("KWTA_DRAIN_DELAY", "nan");
  ExpectUsageError({}, "--drain-delay");
}

TEST_F(OptionsTest, ValuesOfTheFileAreTakenAsWritten) {
  directory_.Write("kwta.toml",
                   "state-dir = \"/a#b\"\nmodel-dir = /c d\nmax-queue-rows = 8_192\ninsecure = true\n"
                   "data-dir = [\n  \"/x\", # one\n  \"/y z\",\n]\n");
  const std::string config = directory_.File("kwta.toml");
  const CommandLine line = Parse({"--config", config.c_str()});
  ASSERT_FALSE(line.done) << line.text;
  EXPECT_EQ(line.options.state_directory, "/a#b");
  EXPECT_EQ(line.options.model_directory, "/c d");
  EXPECT_EQ(line.options.max_queue_rows, 8192);
  EXPECT_TRUE(line.options.insecure);
  EXPECT_THAT(line.options.data_directories, ElementsAre("/x", "/y z"));
}

TEST_F(OptionsTest, FilesThatMakeNoSenseAreUsageErrors) {
  const std::string config = directory_.File("kwta.toml");
  const auto expect = [&](const std::string& text, const std::string& words) {
    directory_.Write("kwta.toml", text);
    ExpectUsageError({"--config", config.c_str()}, words);
  };
  expect("max-queue-rows = 100\nmax-queue-rows = 200\n", "line 2: 'max-queue-rows' comes twice");
  expect("max-queue-rows = 0100\n", "starts with a zero");
  expect("listen = [\"127.0.0.1:0\", \"127.0.0.1:1\"]\n", "'listen' takes one value");
  expect("max-queue-rows = nan\n", "--max-queue-rows");
  expect("[server]\n", "sections are not known");
}

TEST_F(OptionsTest, AddressesAreParsed) {
  ExpectUsageError({"--listen", "unixbox.example:8500"}, "can be reached from other machines");
  ExpectUsageError({"--http", "127.box.example:8500"}, "can be reached from other machines");
  ExpectUsageError({"--listen", "127.0.0.1:70000"}, "port 70000 is above 65535");
  ExpectUsageError({"--http", "http://localhost:8501"}, "it is a URL");
  ExpectUsageError({"--ready-fd", "2"}, "where the log goes");
}

TEST_F(OptionsTest, CertificatesAndKeysGoTogether) {
  ExpectUsageError({"--tls-cert", "c"}, "--tls-cert and --tls-key go together");
  ExpectUsageError({"--tls-key", "k"}, "--tls-cert and --tls-key go together");
  ExpectUsageError({"--tls-client-ca", "a"}, "--tls-client-ca needs --tls-cert");
}

}  // namespace
}  // namespace kwta::server
