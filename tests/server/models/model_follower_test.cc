#include "server/models/model_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

// Longer than any of this takes.
constexpr absl::Duration kPatience = absl::Seconds(20);
// So long that only an event can end the wait.
constexpr absl::Duration kNever = absl::Hours(10);

TEST(DirectoryWatchTest, TellsOfChangesAtEveryDepth) {
  TemporaryDirectory directory;
  const auto watch = DirectoryWatch::Open(directory.path()).value();
  std::filesystem::create_directory(directory.File("digits"));
  EXPECT_TRUE(watch->Wait(kNever));
  std::filesystem::create_directory(directory.File("digits/1"));
  EXPECT_TRUE(watch->Wait(kNever));
  directory.Write("digits/1/model.json", "{}");
  EXPECT_TRUE(watch->Wait(kNever));
  std::filesystem::rename(directory.File("digits/1"), directory.File("digits/2"));
  EXPECT_TRUE(watch->Wait(kNever));
  EXPECT_TRUE(watch->Wait(absl::Milliseconds(1))) << "nothing happened: time is up";
  watch->Stop();
  EXPECT_FALSE(watch->Wait(kNever));
}

TEST(ModelFollowerTest, ServesABundleThatIsRenamedIntoTheDirectory) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.File("models"));
  absl::Notification served;
  ModelManager::Events events = IgnoreEvents();
  events.serving = [&](const std::string&, uint64_t version) {
    if (version == 7) served.Notify();
  };
  ModelManagerOptions options;
  options.settle = absl::Milliseconds(1);
  const auto models = ModelManager::Open(
                          directory.File("models"), options,
                          [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, std::move(events))
                          .value();
  const auto follower =
      ModelFollower::Start(directory.File("models"), kNever, models.get(), [](const absl::Status&) {}).value();
  WriteTestBundle(directory.path(), "elsewhere", "digits");
  std::filesystem::create_directory(directory.File("models/digits"));
  std::filesystem::rename(directory.File("elsewhere"), directory.File("models/digits/7"));
  EXPECT_TRUE(served.WaitForNotificationWithTimeout(kPatience));
}

TEST(ModelFollowerTest, SaysThatTheDirectoryIsGone) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.File("models"));
  WriteTestBundle(directory.path(), "models/digits/1", "digits");
  const auto models = ModelManager::Open(
                          directory.File("models"), ModelManagerOptions(),
                          [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, IgnoreEvents())
                          .value();
  absl::Notification told;
  absl::Status why;
  const auto follower =
      ModelFollower::Start(directory.File("models"), kNever, models.get(), [&](const absl::Status& status) {
        why = status;
        told.Notify();
      }).value();
  std::filesystem::rename(directory.File("models/digits"), directory.File("digits"));
  ASSERT_TRUE(told.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(models->size(), 1) << "what is served stays";
}

}  // namespace
}  // namespace kwta::server
