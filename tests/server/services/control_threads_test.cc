#include "server/services/control_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ControlThreadsTest : public ::testing::Test {
 protected:
  // Keeps the only thread busy.
  void Block() {
    absl::Notification runs;
    ASSERT_TRUE(threads_
                    ->Run("blocker",
                          [this, &runs] {
                            runs.Notify();
                            go_on_.WaitForNotification();
                          })
                    .ok());
    runs.WaitForNotification();
  }
  absl::Status Run(const std::string& caller, const std::string& name) {
    return threads_->Run(caller, [this, name] { ran_.push_back(name); });
  }
  // Runs what waits.
  void Finish() {
    go_on_.Notify();
    threads_.reset();
  }

  absl::Notification go_on_;
  std::vector<std::string> ran_;  // on the only thread
  std::unique_ptr<ControlThreads> threads_ =
      std::make_unique<ControlThreads>(ControlThreads::Options{"look things up", 1, 6});
};

TEST_F(ControlThreadsTest, CallersTakeTurns) {
  Block();
  for (const char* name : {"a1", "a2", "a3"}) ASSERT_TRUE(Run("a", name).ok());
  ASSERT_TRUE(Run("b", "b1").ok());
  ASSERT_TRUE(Run("c", "c1").ok());
  Finish();
  EXPECT_THAT(ran_, ElementsAre("a1", "b1", "c1", "a2", "a3"));
}

TEST_F(ControlThreadsTest, WhatWaitsIsBoundedForACallerAndInAll) {
  Block();
  for (const char* name : {"a1", "a2", "a3"}) ASSERT_TRUE(Run("a", name).ok());
  const absl::Status own = Run("a", "a4");
  EXPECT_EQ(own.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(own.message()), HasSubstr("3 calls of this caller that look things up"));
  EXPECT_TRUE(RetryAfter(own).has_value());
  for (const char* name : {"b1", "b2", "b3"}) ASSERT_TRUE(Run("b", name).ok()) << "others have their half";
  EXPECT_EQ(threads_->waiting(), threads_->most_waiting());
  const absl::Status all = Run("c", "c1");
  EXPECT_EQ(all.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(all.message()), HasSubstr("6 calls that look things up"));
  EXPECT_TRUE(RetryAfter(all).has_value());
  Finish();
  EXPECT_EQ(ran_.size(), 6u) << "what was refused never runs";
}

}  // namespace
}  // namespace kwta::server
