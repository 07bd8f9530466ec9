#include "tests/integration/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace kwta::testing {
namespace {

// RFC 9113.
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr int kData = 0, kHeaders = 1, kResetStream = 3, kSettings = 4, kGoAway = 7;
constexpr int kEndStream = 1, kEndHeaders = 4;
constexpr size_t kFrameHeaderBytes = 9;
constexpr size_t kLargestFrame = 16384;

std::string BigEndian(size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

// RFC 7541, 6.2.2: neither indexed nor compressed.
std::string Header(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + BigEndian(name.size(), 1) + name + BigEndian(value.size(), 1) + value;
}

}  // namespace

RawConnection::RawConnection(int port, const std::string& source)
    : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, source.c_str(), &address.sin_addr);
  bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(descriptor_);
    throw std::runtime_error("cannot connect");
  }
  Send(kPreface);
  SendFrame(kSettings, 0, "");
}

RawConnection::RawConnection(RawConnection&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RawConnection::~RawConnection() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool RawConnection::Read(void* out, size_t bytes) {
  auto* next = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t count = recv(descriptor_, next, bytes, 0);
    if (count <= 0) return false;
    next += count;
    bytes -= static_cast<size_t>(count);
  }
  return true;
}

void RawConnection::Send(const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void RawConnection::SendFrame(int type, int flags, const std::string& payload) {
  const int stream = type == kSettings ? 0 : 1;
  Send(BigEndian(payload.size(), 3) + BigEndian(type, 1) + BigEndian(flags, 1) + BigEndian(stream, 4) + payload);
}

bool RawConnection::ReadFrame(Frame* frame) {
  unsigned char header[kFrameHeaderBytes];
  if (!Read(header, sizeof(header))) return false;
  frame->type = header[3];
  frame->flags = header[4];
  frame->payload.resize(header[0] << 16 | header[1] << 8 | header[2]);
  return Read(frame->payload.data(), frame->payload.size());
}

bool RawConnection::AwaitHello() {
  Frame frame;
  return ReadFrame(&frame) && frame.type == kSettings;
}

void RawConnection::StartCall(const std::string& path) {
  SendFrame(kHeaders, kEndHeaders,
            Header(":method", "POST") + Header(":scheme", "http") + Header(":path", path) +
                Header(":authority", "localhost") + Header("te", "trailers") +
                Header("content-type", "application/grpc"));
}

void RawConnection::SendMessage(const std::string& serialized) {
  const std::string message = BigEndian(0, 1) + BigEndian(serialized.size(), 4) + serialized;
  for (size_t begin = 0; begin < message.size(); begin += kLargestFrame) {
    SendFrame(kData, 0, message.substr(begin, kLargestFrame));
  }
}

void RawConnection::SendHalfAMessage() { SendFrame(kData, 0, BigEndian(0, 1) + BigEndian(1000, 4)); }

std::string RawConnection::AwaitTrailers() {
  for (Frame frame; ReadFrame(&frame);) {
    if (frame.type == kHeaders && (frame.flags & kEndStream) != 0) return frame.payload;
    if (frame.type == kResetStream || frame.type == kGoAway) break;
  }
  return "";
}

bool RawConnection::AwaitMessage(std::string* message) {
  for (Frame frame; ReadFrame(&frame);) {
    if (frame.type == kData && !frame.payload.empty()) {
      if (message != nullptr) *message = frame.payload;
      return true;
    }
    if (frame.type == kResetStream || frame.type == kGoAway) return false;
    if (frame.type == kHeaders && (frame.flags & kEndStream) != 0) return false;
  }
  return false;
}

void RawConnection::CloseSending() { shutdown(descriptor_, SHUT_WR); }

void RawConnection::AwaitClose() {
  char block[4096];
  while (recv(descriptor_, block, sizeof(block), 0) > 0) {
  }
}

void RawConnection::Vanish() {
  const linger at_once = {1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(std::exchange(descriptor_, -1));
}

}  // namespace kwta::testing
