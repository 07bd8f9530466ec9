#include "server/web/page/page_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/web/page/page_files.h"
#include "tests/server/web/http_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PageRoutesTest : public HttpFixture {
 protected:
  void Start(std::function<absl::Status(const std::string&)> may_see) {
    auto routes = std::make_shared<HttpRoutes>();
    AddStatusPage(std::move(may_see), routes.get());
    StartServer(std::move(routes));
  }
};

TEST_F(PageRoutesTest, ThePageAllowsNothingInline) {
  Start(nullptr);
  const std::string page = Ask("GET", "/");
  EXPECT_THAT(page, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Security-Policy: default-src 'none'"),
                          HasSubstr("X-Content-Type-Options: nosniff"), HasSubstr("Referrer-Policy: no-referrer"),
                          HasSubstr("data-access=\"open\"")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("unsafe")), Not(HasSubstr("<style")), Not(HasSubstr(" style=")),
                          Not(HasSubstr(" onclick=")), Not(HasSubstr("<script>"))));
}

TEST_F(PageRoutesTest, EveryFileIsServed) {
  Start(nullptr);
  for (const PageFile& file : PageFiles()) {
    if (file.name == "index.html") continue;
    EXPECT_THAT(Ask("GET", "/page/" + std::string(file.name)),
                AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(std::string(file.contents))));
  }
  EXPECT_THAT(Ask("GET", "/page/style.css"), HasSubstr("Content-Type: text/css"));
  EXPECT_THAT(Ask("GET", "/page/app.js"), HasSubstr("Content-Type: text/javascript"));
  EXPECT_THAT(Ask("GET", "/page/icon.svg"), HasSubstr("Content-Type: image/svg+xml"));
}

TEST_F(PageRoutesTest, FilesAreSentInGzipToThoseWhoTakeIt) {
  Start([](const std::string&) { return absl::UnauthenticatedError("no token"); });
  size_t all = 0;
  for (const PageFile& file : PageFiles()) {
    const bool start = file.name == "index.html";
    const std::string path = start ? "/" : "/page/" + std::string(file.name);
    const std::string answer = Ask("GET", path, "", "Accept-Encoding: gzip, br\r\n");
    EXPECT_THAT(answer,
                AllOf(StartsWith(start ? "HTTP/1.1 401 " : "HTTP/1.1 200 "), HasSubstr("Content-Encoding: gzip\r\n"),
                      HasSubstr("Vary: Accept-Encoding\r\n"), HasSubstr("Content-Security-Policy: ")));
    const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
    EXPECT_EQ(body.substr(0, 2), "\x1f\x8b") << path;
    all += answer.size();
  }
  EXPECT_LT(all, 60'000u);
  EXPECT_THAT(Ask("GET", "/", "", "Accept-Encoding: gzip;q=0\r\n"), Not(HasSubstr("Content-Encoding")));
}

TEST_F(PageRoutesTest, WithoutATokenThePageSaysWhatToDo) {
  Start([](const std::string& header) {
    return header == "Bearer right" ? absl::OkStatus() : absl::UnauthenticatedError("no token");
  });
  EXPECT_THAT(Ask("GET", "/"), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("WWW-Authenticate: Bearer"),
                                     HasSubstr("data-access=\"token\""), HasSubstr("kwta token --file")));
  EXPECT_THAT(Ask("GET", "/", "", "Authorization: Bearer right\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/page/app.js"), StartsWith("HTTP/1.1 200 "));  // the form needs it
}

}  // namespace
}  // namespace kwta::server
