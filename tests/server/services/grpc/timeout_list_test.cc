#include "server/services/grpc/timeout_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TimeoutListTest : public ::testing::Test {
 protected:
  std::unique_ptr<TimeoutList::Entry> NewEntry(const std::string& name) {
    return std::make_unique<TimeoutList::Entry>([this, name] { expired_.push_back(name); });
  }
  void Pass(int seconds) {
    now_ = now_ + absl::Seconds(seconds);
    list_.Expire();
  }

  SteadyTime now_ = SteadyTime::At(absl::ZeroDuration());
  TimeoutList list_{absl::Seconds(10), [this] { return now_; }};
  std::vector<std::string> expired_;
};

TEST_F(TimeoutListTest, WaitsEndInTheirOrderWhenTheyAreDue) {
  const auto a = NewEntry("a"), b = NewEntry("b"), c = NewEntry("c");
  b->Start(&list_);
  Pass(3);
  a->Start(&list_);
  c->Start(&list_);
  Pass(6);
  EXPECT_THAT(expired_, IsEmpty());
  Pass(1);
  EXPECT_THAT(expired_, ElementsAre("b"));
  Pass(100);
  EXPECT_THAT(expired_, ElementsAre("b", "a", "c"));
  Pass(100);
  EXPECT_THAT(expired_, ElementsAre("b", "a", "c")) << "each once";
}

TEST_F(TimeoutListTest, WaitsThatWereStoppedOrDestroyedDoNotEnd) {
  auto a = NewEntry("a"), b = NewEntry("b"), c = NewEntry("c"), d = NewEntry("d");
  for (const auto* each : {&a, &b, &c, &d}) (*each)->Start(&list_);
  b->Stop();
  b->Stop();
  d.reset();
  a.reset();
  Pass(10);
  EXPECT_THAT(expired_, ElementsAre("c"));
}

TEST_F(TimeoutListTest, AWaitThatStartsAnewGoesToTheEnd) {
  const auto a = NewEntry("a"), b = NewEntry("b");
  a->Start(&list_);
  b->Start(&list_);
  Pass(9);
  a->Start(&list_);
  Pass(1);
  EXPECT_THAT(expired_, ElementsAre("b"));
  Pass(9);
  EXPECT_THAT(expired_, ElementsAre("b", "a"));
}

TEST_F(TimeoutListTest, AWaitMayEndOthers) {
  const auto b = NewEntry("b");
  TimeoutList::Entry a([this, &b] {
    expired_.push_back("a");
    b->Stop();
  });
  a.Start(&list_);
  b->Start(&list_);
  Pass(10);
  EXPECT_THAT(expired_, ElementsAre("a"));
}

}  // namespace
}  // namespace kwta::server
