// The order in which an emulated device does what is queued: any that is legal.
#include "tests/core/backends/cuda/emulation/queues.h"

#include <set>
#include <string>

#include "gmock/gmock.h"

namespace kwta::cuda::queues_test {
namespace {

// What 200 seeds make of two letters in one queue and one in another.
std::set<std::string> Orders(bool with_event) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    EmulatedQueues queues(seed);
    std::string order;
    const Event event = queues.CreateEvent();
    queues.Add(Stream::kCopyIn, [&] { order += 'a'; });
    queues.Record(event, Stream::kCopyIn);
    queues.Add(Stream::kCopyIn, [&] { order += 'b'; });
    if (with_event) queues.WaitFor(Stream::kCompute, event);
    queues.Add(Stream::kCompute, [&] { order += 'c'; });
    queues.Drain();
    orders.insert(order);
  }
  return orders;
}

TEST(EmulatedQueues, QueuesGoOnInAnyOrderThatEventsAllow) {
  EXPECT_THAT(Orders(false), testing::ElementsAre("abc", "acb", "cab"));
  EXPECT_THAT(Orders(true), testing::ElementsAre("abc", "acb"));
}

TEST(EmulatedQueues, AWaitOfTheHostDoesWhatTheEventMarks) {
  bool early = false, late = false;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    EmulatedQueues queues(seed);
    const Event event = queues.CreateEvent();
    int done = 0;
    for (int i = 0; i < 5; ++i) queues.Add(Stream::kCopyOut, [&] { ++done; });
    queues.Record(event, Stream::kCopyOut);
    for (int i = 0; i < 5; ++i) queues.Add(Stream::kCopyOut, [&] { ++done; });
    (done < 5 ? late : early) = true;
    queues.Wait(event);
    EXPECT_GE(done, 5);
    queues.Drain();
    EXPECT_EQ(done, 10);
  }
  EXPECT_TRUE(early && late) << "seeds differ in how much is done before the wait";
}

TEST(EmulatedQueues, AnEventThatWasNeverRecordedMarksNothing) {
  EmulatedQueues queues(1);
  const Event event = queues.CreateEvent();
  bool done = false;
  queues.WaitFor(Stream::kCompute, event);
  queues.Add(Stream::kCompute, [&] { done = true; });
  queues.Wait(event);
  queues.Drain();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace kwta::cuda::queues_test
