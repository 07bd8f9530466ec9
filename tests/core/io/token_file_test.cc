#include "core/io/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/temporary_directory.h"

namespace kwta::token_file_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenFileTest : public ::testing::Test {
 protected:
  void ExpectWrong(const std::string& text, const std::string& why) {
    std::ofstream(path_) << text;
    const absl::Status status = ReadTokenFile(path_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File("tokens.json");
};

TEST_F(TokenFileTest, ReadsWhatItWrites) {
  TokenEntry search;
  search.name = "search";
  search.sha256 = HashOfToken("secret");
  search.scopes = {Scope::kEncode, Scope::kAdmin};
  search.expires = absl::FromUnixSeconds(2'000'000'000);
  search.calls_per_second = 10;
  search.rows_per_second = 0.5;
  TokenEntry trainer;
  trainer.name = "trainer";
  trainer.sha256 = HashOfToken("other");
  trainer.scopes = {Scope::kTrain};
  ASSERT_TRUE(WriteTokenFile(path_, {search, trainer}).ok());
  const auto read = ReadTokenFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "search");
  EXPECT_EQ((*read)[0].sha256, search.sha256);
  EXPECT_THAT((*read)[0].scopes, ElementsAre(Scope::kEncode, Scope::kAdmin));
  EXPECT_EQ((*read)[0].expires, search.expires);
  EXPECT_EQ((*read)[0].calls_per_second, 10);
  EXPECT_EQ((*read)[0].rows_per_second, 0.5);
  EXPECT_EQ((*read)[1].expires, absl::InfiniteFuture());
  std::ifstream file(path_);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0u) << "for its owner only";
}

TEST_F(TokenFileTest, SaysWhatIsWrong) {
  const std::string hash(64, '0');
  ExpectWrong("tokens", "kwta token");
  ExpectWrong(R"({"tokens": [{"sha256": ""}]})", "no name");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": "00", "scopes": ["encode"]}]})", "64 digits");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": ")" + hash + R"(", "scopes": []}]})", "scopes");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": ")" + hash + R"(", "scopes": ["all"]}]})", "'all'");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": ")" + hash + R"(", "scopes": ["train"], "expires": "soon"}]})",
              "expires");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": ")" + hash + R"(", "scopes": ["train"], "rows_per_second": -1}]})",
              "rows_per_second");
  ExpectWrong(R"({"tokens": [{"name": "a", "sha256": ")" + hash + R"(", "scopes": ["train"], "expiry": 1}]})",
              "expiry");
  const std::string entry = R"({"name": "a", "sha256": ")" + hash + R"(", "scopes": ["train"]})";
  ExpectWrong(R"({"tokens": [)" + entry + "," + entry + "]}", "twice");
}

TEST_F(TokenFileTest, TokensDiffer) {
  const std::string token = NewToken();
  EXPECT_EQ(token.size(), 5u + 64u);
  EXPECT_NE(token, NewToken());
}

TEST_F(TokenFileTest, ChangesMadeAtOnceAreAllKept) {
  constexpr int kWriters = 8;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, i] {
      const absl::Status status = ChangeTokenFile(path_, [i](std::vector<TokenEntry>* entries) {
        TokenEntry entry;
        entry.name = "n" + std::to_string(i);
        entry.sha256 = HashOfToken(entry.name);
        entry.scopes = {Scope::kEncode};
        entries->push_back(entry);
        return absl::OkStatus();
      });
      EXPECT_TRUE(status.ok()) << status;
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto read = ReadTokenFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), size_t{kWriters});
}

TEST_F(TokenFileTest, AChangeThatFailsWritesNothing) {
  const absl::Status status = ChangeTokenFile(path_, [](std::vector<TokenEntry>* entries) {
    EXPECT_TRUE(entries->empty());
    entries->emplace_back();
    return absl::AbortedError("no");
  });
  EXPECT_EQ(status, absl::AbortedError("no"));
  EXPECT_TRUE(directory_.List().empty());
}

TEST_F(TokenFileTest, AFileThatCannotBeReadIsNotReplaced) {
  directory_.Write("tokens.json", "{\"tok");
  EXPECT_EQ(ChangeTokenFile(path_, [](std::vector<TokenEntry>*) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kInvalidArgument);
  std::ifstream file(path_);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()), "{\"tok");
}

TEST_F(TokenFileTest, ALinkAndTheModeOfItsFileStay) {
  ASSERT_TRUE(WriteTokenFile(path_, {}).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  const std::string link = directory_.File("link.json");
  ASSERT_EQ(::symlink("tokens.json", link.c_str()), 0);
  const auto add = [](std::vector<TokenEntry>* entries) {
    TokenEntry entry;
    entry.name = "a";
    entry.sha256 = HashOfToken("a");
    entry.scopes = {Scope::kAdmin};
    entries->push_back(entry);
    return absl::OkStatus();
  };
  ASSERT_TRUE(ChangeTokenFile(link, add).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadTokenFile(path_)->size(), 1u);
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

}  // namespace
}  // namespace kwta::token_file_test
