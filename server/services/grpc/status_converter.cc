#include "server/services/grpc/status_converter.h"

#include <string>

#include "core/base/utf8.h"

namespace kwta::server {
namespace {

constexpr size_t kMaxMessageBytes = 1024;
constexpr char kCut[] = " ...";

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message = ToUtf8(status.message());  // clients in some languages throw at anything else
  if (message.size() > kMaxMessageBytes) {
    size_t end = kMaxMessageBytes - (sizeof(kCut) - 1);
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;  // not within a UTF-8 character
    message.resize(end);
    message += kCut;
  }
  // absl and gRPC number their codes alike.
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()), message);
}

}  // namespace kwta::server
