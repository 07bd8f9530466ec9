#include "client/cli/report.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "absl/strings/cord.h"
#include "client/grpc_status.h"

namespace kwta::client::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReportTest : public ::testing::Test {
 protected:
  ReportTest() {
    for (const char* name : {"grpc_proxy", "https_proxy", "http_proxy", "KWTA_TOKEN"}) unsetenv(name);
  }

  std::string Text(const absl::Status& status) const { return Explain(status, global_).message; }

  GlobalOptions global_;
};

TEST_F(ReportTest, OnlyACallFindsTheServerAway) {
  EXPECT_EQ(Explain(NotReached("no route"), global_).exit_code, kUnreachable);
  EXPECT_THAT(Text(NotReached("no route")),
              AllOf(HasSubstr("cannot be reached (no route)"), HasSubstr("'kwta-server'")));
  const absl::Status file = absl::UnavailableError("cannot write 'a': Input/output error");
  EXPECT_EQ(Explain(file, global_).exit_code, kFailed);
  EXPECT_THAT(Text(file), Not(HasSubstr("server")));
}

TEST_F(ReportTest, AFullDiskIsNoFullQueue) {
  EXPECT_THAT(Text(absl::ResourceExhaustedError("cannot write 'a': No space left on device")),
              Not(HasSubstr("rows-per-request")));
}

TEST_F(ReportTest, ACallWithoutATokenIsToldWhereTokensGo) {
  EXPECT_THAT(Text(absl::UnauthenticatedError("no token")), HasSubstr("--token-file FILE"));
  global_.token_file = "token";
  EXPECT_THAT(Text(absl::UnauthenticatedError("unknown token")), HasSubstr("the one of this server?"));
}

TEST_F(ReportTest, ACallThatTheServerDoesNotKnowSaysSo) {
  EXPECT_THAT(Text(absl::UnimplementedError("")), HasSubstr("does not know this call"));
}

TEST_F(ReportTest, AConnectionThatWasClosedMayBeOneOfTls) {
  EXPECT_THAT(Text(NotReached("Socket closed")), HasSubstr("--tls"));
  global_.tls.on = true;
  EXPECT_THAT(Text(NotReached("Ssl handshake failed: SSL_ERROR_SSL: certificate verify failed")),
              HasSubstr("does --tls-ca name who signed"));
  EXPECT_THAT(Text(NotReached("Ssl handshake failed: SSL_ERROR_SSL: wrong version number")),
              HasSubstr("does not speak TLS: leave --tls"));
}

TEST_F(ReportTest, AProxyInBetweenIsNamed) {
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  global_.server = "kwta.example:8500";
  EXPECT_THAT(Text(NotReached("no route")), HasSubstr("the proxy that http_proxy names"));
  global_.server = "127.0.0.1:8500";
  EXPECT_THAT(Text(NotReached("no route")), Not(HasSubstr("proxy")));
  unsetenv("http_proxy");
}

}  // namespace
}  // namespace kwta::client::cli
