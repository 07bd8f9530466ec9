#include "server/web/http_connections.h"

#include <gtest/gtest.h>

#include <string>

namespace kwta::server {
namespace {

class HttpConnectionsTest : public ::testing::Test {
 protected:
  HttpConnections::Id Id(int number) const { return &ids_[number]; }

  void Open(int number, const std::string& host) {
    const HttpConnections::Room room = connections_.FindRoom(host);
    EXPECT_TRUE(room.found);
    EXPECT_EQ(room.close, nullptr);
    connections_.Opened(Id(number), host);
  }

  const char ids_[10] = {};
  HttpConnections connections_{4, 2};
};

TEST_F(HttpConnectionsTest, TheLongestIdleOfTheHostMakesRoom) {
  Open(0, "a");
  Open(1, "a");
  Open(2, "b");
  connections_.Busy(Id(0));
  connections_.Idle(Id(0));  // it is the younger one now
  EXPECT_EQ(connections_.FindRoom("a").close, Id(1));
  connections_.Opened(Id(3), "a");
  EXPECT_EQ(connections_.FindRoom("a").close, Id(0)) << "1 is being closed already";
  connections_.Closed(Id(0));
  connections_.Closed(Id(1));
  EXPECT_EQ(connections_.FindRoom("a").close, nullptr);
}

TEST_F(HttpConnectionsTest, BusyOnesStay) {
  Open(0, "a");
  Open(1, "a");
  connections_.Busy(Id(0));
  connections_.Busy(Id(1));
  const HttpConnections::Room none = connections_.FindRoom("a");
  EXPECT_FALSE(none.found);
  EXPECT_TRUE(none.of_host);
  EXPECT_TRUE(connections_.FindRoom("b").found);
  connections_.Idle(Id(1));
  EXPECT_EQ(connections_.FindRoom("a").close, Id(1));
}

TEST_F(HttpConnectionsTest, AllTogetherAreLimitedToo) {
  Open(0, "a");
  Open(1, "b");
  Open(2, "c");
  Open(3, "d");
  connections_.Busy(Id(0));
  EXPECT_EQ(connections_.FindRoom("e").close, Id(1));
  connections_.Opened(Id(4), "e");
  connections_.Busy(Id(2));
  connections_.Busy(Id(3));
  connections_.Busy(Id(4));
  EXPECT_FALSE(connections_.FindRoom("f").found);
  connections_.Closed(Id(3));
  EXPECT_TRUE(connections_.FindRoom("f").found);
}

TEST_F(HttpConnectionsTest, ClosedOnesOfBusyRequestsAreForgotten) {
  Open(0, "a");
  Open(1, "a");
  EXPECT_EQ(connections_.FindRoom("a").close, Id(0));
  connections_.Busy(Id(0));  // a request that was on its way
  connections_.Idle(Id(0));
  connections_.Closed(Id(0));
  connections_.Closed(Id(0));
  Open(2, "a");
}

}  // namespace
}  // namespace kwta::server
