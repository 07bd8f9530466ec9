#include "tests/http_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace kwta::testing {

namespace {

HttpReply HttpAsk(int port, const std::string& request) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    if (write(descriptor, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char block[4096];
      ssize_t count;
      while ((count = read(descriptor, block, sizeof(block))) > 0) answer.append(block, static_cast<size_t>(count));
    }
  }
  close(descriptor);
  HttpReply reply;
  const size_t space = answer.find(' ');
  const size_t blank = answer.find("\r\n\r\n");
  if (space == std::string::npos || blank == std::string::npos) return reply;
  reply.status = std::atoi(answer.c_str() + space);
  reply.body = answer.substr(blank + 4);
  return reply;
}

}  // namespace

HttpReply HttpGet(int port, const std::string& path, const std::string& headers) {
  return HttpAsk(port, "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n" + headers + "\r\n");
}

HttpReply HttpPost(int port, const std::string& path, const std::string& body) {
  return HttpAsk(port, "POST " + path +
                           " HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body);
}

}  // namespace kwta::testing
