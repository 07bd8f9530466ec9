#include "client/grpc_status.h"

#include <gtest/gtest.h>

#include "client/client.h"

namespace kwta::client {
namespace {

TEST(FromGrpc, KeepsEveryCodeAndItsMessage) {
  EXPECT_EQ(FromGrpc(grpc::Status::OK), absl::OkStatus());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status = FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(code), "what was wrong"));
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_EQ(status.message(), "what was wrong");
  }
}

TEST(FromGrpc, NamesMatchAtBothEnds) {
  EXPECT_EQ(FromGrpc({grpc::StatusCode::CANCELLED, ""}).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAVAILABLE, ""}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAUTHENTICATED, ""}).code(), absl::StatusCode::kUnauthenticated);
}

TEST(FromGrpc, CodesOfOtherProtocolsAreUnknown) {
  for (const int code : {17, -1}) {
    const absl::Status status = FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(code), "strange"));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << code;
    EXPECT_EQ(status.message(), "strange");
  }
}

TEST(FromGrpcUncancelled, TakesAStreamThatTheServerCancelledForALostServer) {
  EXPECT_EQ(FromGrpcUncancelled({grpc::StatusCode::CANCELLED, "CANCELLED"}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FromGrpcUncancelled({grpc::StatusCode::NOT_FOUND, "no job"}), absl::NotFoundError("no job"));
  EXPECT_EQ(FromGrpcUncancelled(grpc::Status::OK), absl::OkStatus());
}

TEST(FromGrpc, TellsAServerThatIsAwayFromAFileThatIs) {
  EXPECT_TRUE(IsNotReached(FromGrpc({grpc::StatusCode::UNAVAILABLE, "no route"})));
  EXPECT_TRUE(IsNotReached(FromGrpcUncancelled({grpc::StatusCode::CANCELLED, ""})));
  EXPECT_FALSE(IsNotReached(FromGrpc({grpc::StatusCode::NOT_FOUND, ""})));
  EXPECT_FALSE(IsNotReached(absl::UnavailableError("cannot read 'a': Input/output error")));
  EXPECT_FALSE(IsNotReached(absl::OkStatus()));
}

}  // namespace
}  // namespace kwta::client
