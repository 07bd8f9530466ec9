#include "server/services/grpc/status_converter.h"

#include <gtest/gtest.h>

#include <string>

namespace kwta::server {
namespace {

TEST(StatusConverterTest, EveryCodeKeepsItsMeaning) {
  const struct {
    absl::StatusCode code;
    grpc::StatusCode expected;
  } cases[] = {
      {absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED},
      {absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN},
      {absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
      {absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND},
      {absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
      {absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
      {absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {absl::StatusCode::kAborted, grpc::StatusCode::ABORTED},
      {absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
      {absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
      {absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL},
      {absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED},
  };
  for (const auto& each : cases) {
    const grpc::Status status = ToGrpcStatus(absl::Status(each.code, "why"));
    EXPECT_EQ(status.error_code(), each.expected) << absl::StatusCodeToString(each.code);
    EXPECT_EQ(status.error_message(), "why");
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(StatusConverterTest, CutsLongMessagesBetweenCharacters) {
  std::string message(1019, 'a');
  for (int i = 0; i < 100; ++i) message += "\xC3\xA9";  // e with an acute accent
  const grpc::Status status = ToGrpcStatus(absl::InternalError(message));
  EXPECT_EQ(status.error_message(), std::string(1019, 'a') + " ...");
}

TEST(StatusConverterTest, TextIsUtf8) {
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("caf\xe9.png")).error_message(), "caf\xEF\xBF\xBD.png");
}

}  // namespace
}  // namespace kwta::server
