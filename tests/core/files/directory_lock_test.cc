#include "core/files/directory_lock.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

TEST(DirectoryLockTest, OneAtATime) {
  const TemporaryDirectory directory;
  auto first = DirectoryLock::Around(directory.File("a"));
  ASSERT_THAT(first, IsOk());
  std::optional<DirectoryLock> held(*std::move(first));
  absl::Notification got;
  std::thread second([&] {
    // Another file of the same directory is under the same lock.
    EXPECT_THAT(DirectoryLock::Around(directory.File("b")), IsOk());
    got.Notify();
  });
  EXPECT_FALSE(got.WaitForNotificationWithTimeout(absl::Milliseconds(50)));
  held.reset();
  got.WaitForNotification();
  second.join();
  EXPECT_TRUE(directory.List().empty()) << "a lock leaves nothing behind";
}

TEST(DirectoryLockTest, OfNoDirectory) {
  const TemporaryDirectory directory;
  EXPECT_THAT(DirectoryLock::Around(directory.File("none/a")), StatusIs(absl::StatusCode::kNotFound, "none"));
}

}  // namespace
}  // namespace kwta
