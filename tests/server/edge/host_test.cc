#include "server/edge/host.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace kwta::server {
namespace {

std::string HostOfSix(const char* text) {
  sockaddr_storage peer = {};
  auto* six = reinterpret_cast<sockaddr_in6*>(&peer);
  six->sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text, &six->sin6_addr), 1) << text;
  return HostOf(peer);
}

TEST(HostTest, AnAddressOfVersionFourIsAHost) {
  sockaddr_storage peer = {};
  auto* four = reinterpret_cast<sockaddr_in*>(&peer);
  four->sin_family = AF_INET;
  four->sin_port = htons(1234);
  ASSERT_EQ(::inet_pton(AF_INET, "192.0.2.7", &four->sin_addr), 1);
  EXPECT_EQ(HostOf(peer), "192.0.2.7");
  EXPECT_EQ(HostOfSix("::ffff:192.0.2.7"), "192.0.2.7");
}

TEST(HostTest, TheNetworkOfAnAddressOfVersionSixIsAHost) {
  EXPECT_EQ(HostOfSix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(HostOfSix("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64");
  EXPECT_EQ(HostOfSix("2001:db8:1:3::1"), "2001:db8:1:3::/64");
}

TEST(HostTest, OtherFamiliesHaveNoHost) {
  sockaddr_storage peer = {};
  peer.ss_family = AF_UNIX;
  EXPECT_EQ(HostOf(peer), "");
}

}  // namespace
}  // namespace kwta::server
