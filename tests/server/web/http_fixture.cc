#include "tests/server/web/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kwta::server {

HttpClient::HttpClient(int port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

HttpClient::~HttpClient() { ::close(descriptor_); }

bool HttpClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string HttpClient::ReadUntil(absl::string_view end) {
  std::string answer;
  char byte[1024];
  const size_t most = end.empty() ? sizeof(byte) : 1;
  while (end.empty() || !absl::EndsWith(answer, end)) {
    const ssize_t count = ::recv(descriptor_, byte, most, 0);
    if (count <= 0) break;
    answer.append(byte, static_cast<size_t>(count));
  }
  return answer;
}

void HttpFixture::StartServer(std::shared_ptr<const HttpRoutes> routes, HttpServerOptions options,
                              std::unique_ptr<TlsCredentials> tls) {
  options.address = "127.0.0.1:0";
  options.series = &metrics_.connections();
  server_ = HttpServer::Start(options, std::move(tls), &pipeline_, std::move(routes)).value();
}

std::string HttpFixture::Ask(const std::string& verb, const std::string& path, const std::string& body,
                             const std::string& headers) {
  HttpClient client(server_->port());
  EXPECT_TRUE(client.Send(absl::StrCat(verb, " ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
                                       headers, "Content-Length: ", body.size(), "\r\n\r\n", body)));
  return client.ReadAll();
}

HttpRoute HttpFixture::Route(const std::string& verb, const std::string& pattern, HttpHandler handler) {
  HttpRoute route;
  route.verb = verb;
  route.pattern = pattern;
  route.handler = std::move(handler);
  return route;
}

}  // namespace kwta::server
