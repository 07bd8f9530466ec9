#include "server/web/http_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class HttpRoutesTest : public ::testing::Test {
 protected:
  void Add(const std::string& verb, const std::string& pattern) {
    HttpRoute route;
    route.verb = verb;
    route.pattern = pattern;
    routes_.Add(std::move(route));
  }

  std::string PatternOf(const std::string& verb, const std::string& path) const {
    const HttpRoutes::Found found = routes_.Find(verb, path);
    return found.route == nullptr ? "" : found.route->pattern;
  }

  HttpRoutes routes_;
};

TEST_F(HttpRoutesTest, PatternsNameSegments) {
  Add("GET", "/v2/models/{model}/versions/{version}");
  const HttpRoutes::Found found = routes_.Find("GET", "/v2/models/a%2Fb%20c/versions/7");
  ASSERT_NE(found.route, nullptr);
  EXPECT_THAT(found.segments, ElementsAre(Pair("model", "a/b c"), Pair("version", "7")));
  for (const char* path : {"/v2/models//versions/7", "/v2/models/a/versions/", "/v2/models/a/versions/7/",
                           "/v2/models/a/b/versions/7", "/v2/models/%zz/versions/7", "/v2/models/%00/versions/7",
                           "/v2/models/%4/versions/7", "/V2/models/a/versions/7", "", "*"}) {
    EXPECT_THAT(routes_.Find("GET", path).allow, IsEmpty()) << path;
  }
}

TEST_F(HttpRoutesTest, WrittenSegmentsGoFirst) {
  Add("GET", "/models/{model}");
  Add("GET", "/models/index");
  Add("GET", "/{room}/index");
  EXPECT_EQ(PatternOf("GET", "/models/index"), "/models/index");
  EXPECT_EQ(PatternOf("GET", "/models/digits"), "/models/{model}");
  EXPECT_EQ(PatternOf("GET", "/jobs/index"), "/{room}/index");
}

TEST_F(HttpRoutesTest, VerbsOfAPath) {
  Add("GET", "/a");
  Add("POST", "/a");
  Add("POST", "/b");
  EXPECT_EQ(PatternOf("HEAD", "/a"), "/a");
  EXPECT_EQ(PatternOf("HEAD", "/b"), "");
  EXPECT_EQ(PatternOf("get", "/a"), "");
  EXPECT_EQ(routes_.Find("PUT", "/a").allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(routes_.Find("GET", "/b").allow, "POST, OPTIONS");
}

}  // namespace
}  // namespace kwta::server
