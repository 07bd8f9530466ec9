#include "server/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

std::string WhyNoAddress(absl::string_view text) {
  const absl::Status status = ParseAddress(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(AddressTest, HostsAndPorts) {
  const Address four = ParseAddress("0.0.0.0:8500").value();
  EXPECT_EQ(four.host, "0.0.0.0");
  EXPECT_EQ(four.port, 8500);
  const Address six = ParseAddress("[fe80::1%eth0]:0").value();
  EXPECT_EQ(six.host, "fe80::1%eth0");
  EXPECT_EQ(six.port, 0);
  EXPECT_EQ(ParseAddress("my-host.example:65535").value().port, 65535);
}

TEST(AddressTest, OnlyThisMachineIsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.3.4:1", "[::1]:1", "localhost:1", "LocalHost:1",
                           "[::ffff:127.0.0.1]:1", "[0:0:0:0:0:0:0:1]:1"}) {
    EXPECT_TRUE(ParseAddress(text).value().is_loopback()) << text;
  }
  for (const char* text : {"unixbox.example:1", "127.box.example:1", "127.1:1", "128.0.0.1:1", "[::]:1", "[::2]:1",
                           "localhost.example:1", "0.0.0.0:1", "[::ffff:10.0.0.1]:1"}) {
    EXPECT_FALSE(ParseAddress(text).value().is_loopback()) << text;
  }
}

TEST(AddressTest, WhatIsNoneSaysWhy) {
  EXPECT_THAT(WhyNoAddress("http://localhost:8500"), HasSubstr("it is a URL"));
  EXPECT_THAT(WhyNoAddress("unix:8500"), HasSubstr("sockets of Unix"));
  EXPECT_THAT(WhyNoAddress("unix-abstract:8500"), HasSubstr("sockets of Unix"));
  EXPECT_THAT(WhyNoAddress("host:65536"), HasSubstr("port 65536 is above 65535"));
  EXPECT_THAT(WhyNoAddress("host:99999999999999999999"), HasSubstr("is above 65535"));
  EXPECT_THAT(WhyNoAddress("host"), HasSubstr("no port"));
  EXPECT_THAT(WhyNoAddress("host:"), HasSubstr("no port"));
  EXPECT_THAT(WhyNoAddress(":8500"), HasSubstr("no host"));
  EXPECT_THAT(WhyNoAddress("host:85x"), HasSubstr("port is no number"));
  EXPECT_THAT(WhyNoAddress("host:+85"), HasSubstr("port is no number"));
  EXPECT_THAT(WhyNoAddress("host:085"), HasSubstr("starts with a zero"));
  EXPECT_THAT(WhyNoAddress("::1:8500"), HasSubstr("needs brackets"));
  EXPECT_THAT(WhyNoAddress("[::1:8500"), HasSubstr("bracket is missing"));
  EXPECT_THAT(WhyNoAddress("[host]:8500"), HasSubstr("no IPv6 number"));
  EXPECT_THAT(WhyNoAddress("ho st:8500"), HasSubstr("no host is called that"));
  EXPECT_THAT(WhyNoAddress("a\x1b:1"), HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace kwta::server
