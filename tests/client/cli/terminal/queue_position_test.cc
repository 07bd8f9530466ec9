#include "client/cli/terminal/queue_position.h"

#include <gtest/gtest.h>

namespace kwta::client::cli {
namespace {

v1::Job QueuedJob(const std::string& id) {
  v1::Job job;
  job.set_id(id);
  job.set_state(v1::JOB_STATE_QUEUED);
  return job;
}

TEST(QueuePosition, CountsTheJobsBefore) {
  const JobQueue queue = {{QueuedJob("d"), QueuedJob("c"), QueuedJob("a")}, 3};
  EXPECT_EQ(PositionWords(queue, QueuedJob("a")), "next");
  EXPECT_EQ(PositionWords(queue, QueuedJob("c")), "1 job before it");
  EXPECT_EQ(PositionWords(queue, QueuedJob("d")), "2 jobs before it");
  EXPECT_EQ(PositionWords(queue, QueuedJob("e")), "");
  v1::Job running = QueuedJob("a");
  running.set_state(v1::JOB_STATE_RUNNING);
  EXPECT_EQ(PositionWords(queue, running), "");
}

TEST(QueuePosition, AQueueMayBeLongerThanItsList) {
  const JobQueue queue = {{QueuedJob("d"), QueuedJob("c")}, 1002};
  EXPECT_EQ(PositionWords(queue, QueuedJob("d")), "1001 jobs before it");
  EXPECT_EQ(PositionWords(queue, QueuedJob("c")), "1000 jobs before it");
  EXPECT_EQ(PositionWords(queue, QueuedJob("a")), "fewer than 1000 jobs before it");
}

}  // namespace
}  // namespace kwta::client::cli
