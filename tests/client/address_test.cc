#include "client/address.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <string>

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

TEST(CheckAddress, TakesWhatCanBeAServer) {
  for (const char* address : {"127.0.0.1:8500", "localhost:8500", "kwta.example:65535", "kwta", "[::1]:8500", "[::1]",
                              "::1", "10.0.0.1:8500, 10.0.0.2:8501", "dns:///kwta.example:8500", "unix:/run/kwta.sock",
                              "ipv4:10.0.0.1:1,10.0.0.2:2"}) {
    EXPECT_EQ(CheckAddress(address), absl::OkStatus()) << address;
  }
}

TEST(CheckAddress, SaysWhatIsWrong) {
  const auto wrong = [](const std::string& address, const char* why) {
    const absl::Status status = CheckAddress(address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << address;
  };
  wrong("", "it is empty");
  wrong("http://127.0.0.1:8500", "it is a URL");
  wrong("127.0.0.1:65536", "port '65536' is none of 1 .. 65535");
  wrong("127.0.0.1:0", "port '0'");
  wrong("127.0.0.1:http", "port 'http'");
  wrong("127.0.0.1:0x1f", "port '0x1f'");
  wrong("127.0.0.1:", "it names no port");
  wrong(":8500", "it names no host");
  wrong("127.0.0.1:8500,", "it names no host");
  wrong("127.0.0.1:8500/v1", "port '8500/v1'");
  wrong("127.0.0.1:8500\n", "a line's end");
  const char* family = "is not IP:PORT of one family, as each of several addresses";
  for (const char* address : {"a:1,b:2", "10.0.0.1:1,b:2", "10.0.0.1:1,[::1]:2", "10.0.0.1,10.0.0.2", "ipv4:A,B",
                              "ipv4:10.0.0.1", "ipv4:kwta.example:1", "ipv4:10.0.0.1:1,10.0.0.256:2", "ipv4:[::1]:1",
                              "ipv6:10.0.0.1:1", "ipv6:::1", "ipv6:[::1]:1,[::g]:2"}) {
    wrong(address, family);
  }
  wrong("ipv4:", "it names no host");
  wrong("ipv4:10.0.0.1:1,", "it names no host");
  wrong("ipv4:10.0.0.1:0", "port '0'");
}

TEST(TargetOf, MakesOneNameOfSeveralAddresses) {
  EXPECT_EQ(TargetOf("localhost:8500").value(), "localhost:8500");
  EXPECT_EQ(TargetOf(" localhost:8500 ").value(), "localhost:8500");
  EXPECT_EQ(TargetOf("dns:///kwta.example:8500").value(), "dns:///kwta.example:8500");
  EXPECT_EQ(TargetOf("10.0.0.1:8500, 10.0.0.2:8501").value(), "ipv4:10.0.0.1:8500,10.0.0.2:8501");
  EXPECT_EQ(TargetOf("[::1]:8500,[::1]:8501").value(), "ipv6:[::1]:8500,[::1]:8501");
  EXPECT_EQ(TargetOf("ipv4:10.0.0.1:8500, 10.0.0.2:8501").value(), "ipv4:10.0.0.1:8500,10.0.0.2:8501");
  EXPECT_EQ(TargetOf("ipv6:[::1]:8500").value(), "ipv6:[::1]:8500");
  EXPECT_EQ(TargetOf("ipv4:///10.0.0.1:8500").value(), "ipv4:10.0.0.1:8500");
  EXPECT_EQ(TargetOf("a:1,b:2").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(IsOnThisMachine, ReadsAddressesAsNumbers) {
  for (const char* address :
       {"127.0.0.1:8500", "127.255.0.3", "localhost:1", "LOCALHOST", "[::1]:8500", "::1", "unix:/run/kwta.sock",
        "127.0.0.1:1,127.0.0.2:2", "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:1"}) {
    EXPECT_TRUE(IsOnThisMachine(address)) << address;
  }
  for (const char* address :
       {"127.example:8500", "127.0.0.1.example:8500", "localhost.example", "unix-host.example:1", "10.0.0.1:8500",
        "127.0.0.1:1,10.0.0.1:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "[::2]:1", "dns:///localhost:8500"}) {
    EXPECT_FALSE(IsOnThisMachine(address)) << address;
  }
}

TEST(ProxyVariable, NamesTheOneThatGrpcTakes) {
  for (const char* name : {"grpc_proxy", "https_proxy", "http_proxy"}) unsetenv(name);
  EXPECT_EQ(ProxyVariable("10.0.0.1:8500"), "");
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  EXPECT_EQ(ProxyVariable("10.0.0.1:8500"), "http_proxy");
  EXPECT_EQ(ProxyVariable("127.0.0.1:8500"), "") << "never for this machine";
  setenv("grpc_proxy", "http://127.0.0.1:9", 1);
  EXPECT_EQ(ProxyVariable("10.0.0.1:8500"), "grpc_proxy");
  for (const char* name : {"grpc_proxy", "http_proxy"}) unsetenv(name);
}

}  // namespace
}  // namespace kwta::client
