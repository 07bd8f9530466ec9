#include "server/services/caller.h"

#include <gtest/gtest.h>

namespace kwta::server {
namespace {

TEST(CallerTest, AHostIsAPeerWithoutItsPort) {
  EXPECT_EQ(HostOfPeer("ipv4:10.0.0.7:51034"), "ipv4:10.0.0.7");
  EXPECT_EQ(HostOfPeer("ipv6:%5B::1%5D:51034"), "ipv6:::/64");
  EXPECT_EQ(HostOfPeer("ipv6:[2001:db8:1:2:3:4:5:6]:51034"), "ipv6:2001:db8:1:2::/64");
  EXPECT_EQ(HostOfPeer("ipv6:%5Bfe80::1%25eth0%5D:51034"), "ipv6:fe80::1%25eth0");
  EXPECT_EQ(HostOfPeer("unix:/run/kwta.sock"), "unix:/run/kwta.sock");
}

}  // namespace
}  // namespace kwta::server
