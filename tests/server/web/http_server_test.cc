#include "server/web/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    HttpPages pages;
    pages.metrics = [] { return std::string("kwta_answer 42\n"); };
    pages.not_ready = [this] { return not_ready_; };
    server_ = HttpServer::Start("127.0.0.1:0", std::move(pages)).value();
  }

  // The whole answer to "method path".
  std::string Ask(const std::string& method, const std::string& path) {
    const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const std::string request = absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(::send(connection, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[1024];
    for (ssize_t count = 0; (count = ::recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(count));
    }
    ::close(connection);
    return answer;
  }

  std::string not_ready_;  // set only while no request is made
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, Metrics) {
  EXPECT_THAT(Ask("GET", "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    HasSubstr("Content-Length: 15\r\n"), EndsWith("\r\n\r\nkwta_answer 42\n")));
}

TEST_F(HttpServerTest, HealthIsLifeReadinessIsReadiness) {
  EXPECT_THAT(Ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/readyz"), StartsWith("HTTP/1.1 200 "));
  not_ready_ = "draining";
  EXPECT_THAT(Ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("not ready: draining\n")));
}

TEST_F(HttpServerTest, OtherPathsAndMethods) {
  EXPECT_THAT(Ask("GET", "/"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("<html"), HasSubstr("/metrics")));
  EXPECT_THAT(Ask("GET", "/nowhere"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/healthz")));
  EXPECT_THAT(Ask("GET", "/metrics/../../etc/passwd"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask("POST", "/metrics"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask("HEAD", "/metrics"), EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, APortInUseIsUnavailable) {
  const absl::Status status = HttpServer::Start(absl::StrCat("127.0.0.1:", server_->port()), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("choose another with --http"));
}

}  // namespace
}  // namespace kwta::server
