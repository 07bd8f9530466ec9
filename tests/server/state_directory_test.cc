#include "server/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
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

TEST(StateDirectoryTest, AFileInTheWayIsReported) {
  const TemporaryDirectory directory;
  directory.Write("file", "x");
  const absl::Status status = StateDirectory::Open(directory.File("file")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("cannot make"), HasSubstr("--state-dir")));
}

}  // namespace
}  // namespace kwta::server
