#include "server/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

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

TEST(StateDirectoryTest, IsUsedByOneServerAtATime) {
  const TemporaryDirectory directory;
  {
    const auto first = StateDirectory::Open(directory.path());
    ASSERT_TRUE(first.ok());
    const absl::Status second = StateDirectory::Open(directory.path()).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.message()), AllOf(HasSubstr("another kwta-server"), HasSubstr("--state-dir")));
  }
  EXPECT_TRUE(StateDirectory::Open(directory.path()).ok()) << "the lock goes with its holder";
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
