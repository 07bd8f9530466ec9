#include "client/cli/terminal/queue_position.h"

#include <gtest/gtest.h>

namespace kwta::client::cli {
namespace {

TEST(QueuePosition, CountsTheJobsBefore) {
  std::vector<v1::Job> queued(3);  // newest first
  queued[0].set_id("c");
  queued[1].set_id("b");
  queued[2].set_id("a");
  EXPECT_EQ(JobsBefore(queued, "a"), 0u);
  EXPECT_EQ(JobsBefore(queued, "c"), 2u);
  EXPECT_EQ(JobsBefore(queued, "d"), std::nullopt);
  EXPECT_EQ(PositionWords(0), "next");
  EXPECT_EQ(PositionWords(1), "1 job before it");
  EXPECT_EQ(PositionWords(7), "7 jobs before it");
}

}  // namespace
}  // namespace kwta::client::cli
