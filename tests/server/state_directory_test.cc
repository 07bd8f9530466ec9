#include "server/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StateDirectoryTest, MakesWhatIsMissing) {
  const TemporaryDirectory directory;
  const auto state = StateDirectory::Open(directory.File("a/b"));
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(std::filesystem::is_directory((*state)->models()));
  EXPECT_TRUE(std::filesystem::is_directory((*state)->jobs()));
  EXPECT_TRUE(std::filesystem::is_directory((*state)->datasets()));
  EXPECT_EQ((*state)->database(), directory.File("a/b/kwta.db"));
}

// Opens the directory in a process of its own, in which `then` runs before it ends; gives its exit status: 0 if the
// directory was free, 1 if another server had it.
template <typename Then>
int OpenElsewhere(const std::string& path, Then then) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto state = StateDirectory::Open(path);
    const std::string message(state.status().message());
    const bool taken = absl::IsFailedPrecondition(state.status()) &&
                       absl::StrContains(message, "another kwta-server") && absl::StrContains(message, "--state-dir");
    if (state.ok()) then();
    ::_exit(state.ok() ? 0 : taken ? 1 : 2);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StateDirectoryTest, IsUsedByOneServerAtATime) {
  const TemporaryDirectory directory;
  {
    const auto first = StateDirectory::Open(directory.path());
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(OpenElsewhere(directory.path(), [] {}), 1);
  }
  EXPECT_EQ(OpenElsewhere(directory.path(), [] {}), 0) << "the lock goes with its holder";
}

TEST(StateDirectoryTest, AChildThatAKilledServerLeftBehindDoesNotHoldIt) {
  const TemporaryDirectory directory;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(OpenElsewhere(directory.path(),
                          [&] {
                            if (::fork() != 0) return;
                            // Has all files of the server, until this test is over.
                            ::close(ends[1]);
                            char byte;
                            ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
                          }),
            0);
  EXPECT_TRUE(StateDirectory::Open(directory.path()).ok());
  ::close(ends[1]);
  ::close(ends[0]);
}

mode_t ModeOf(const std::string& path) {
  struct stat about = {};
  EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 07777;
}

TEST(StateDirectoryTest, IsForItsUserOnlyWhateverTheMask) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0);
  std::filesystem::create_directories(directory.File("old/models"));
  directory.Write("old/kwta.db", "from a server that let others read");
  for (const std::string name : {"old", "new"}) {
    const std::string path = directory.File(name);
    const auto state = StateDirectory::Open(path);
    for (const char* part : {"", "/models", "/jobs", "/datasets"}) EXPECT_EQ(ModeOf(path + part), 0700u) << part;
    EXPECT_EQ(ModeOf(path + "/lock"), 0600u);
  }
  EXPECT_EQ(ModeOf(directory.File("old/kwta.db")), 0600u);
  ::umask(before);
}

TEST(StateDirectoryTest, CheckingMakesNothing) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(StateDirectory::Check(directory.File("a/b/c")).ok());
  EXPECT_FALSE(std::filesystem::exists(directory.File("a")));
  EXPECT_TRUE(StateDirectory::Check(directory.path()).ok());
  const auto taken = StateDirectory::Open(directory.path());
  EXPECT_TRUE(StateDirectory::Check(directory.path()).ok()) << "whether another server uses it is not asked";
  directory.Write("file", "x");
  EXPECT_EQ(StateDirectory::Check(directory.File("file")).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StateDirectory::Check(directory.File("file/below")).code(), absl::StatusCode::kUnavailable);
}

TEST(StateDirectoryTest, AFileInTheWayIsReported) {
  const TemporaryDirectory directory;
  directory.Write("file", "x");
  const absl::Status status = StateDirectory::Open(directory.File("file")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("cannot make"), HasSubstr("--state-dir")));
}

}  // namespace
}  // namespace kwta::server
