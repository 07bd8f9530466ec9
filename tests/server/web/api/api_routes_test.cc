#include "server/web/api/api_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/io/images/png.h"
#include "server/jobs/job_events.h"
#include "server/security/authenticator.h"
#include "tests/server/web/api/api_fixture.h"
#include "tests/server/web/http_fixture.h"

namespace kwta::server {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ApiRoutesTest : public HttpFixture {
 protected:
  ApiRoutesTest() { Serve(); }
  ~ApiRoutesTest() override { server_.reset(); }

  void Serve() {
    server_.reset();
    api_ = NewStatusApi(world_.Parts());
    auto routes = std::make_shared<HttpRoutes>();
    api_->AddTo(routes.get());
    StartServer(std::move(routes));
  }

  static std::string BodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
  // The JSON of an answer whose code is `code`.
  static json Json(int code, const std::string& answer) {
    EXPECT_THAT(answer,
                AllOf(StartsWith(absl::StrCat("HTTP/1.1 ", code, " ")), HasSubstr("Content-Type: application/json\r\n"),
                      HasSubstr("Cache-Control: no-store\r\n")));
    return json::parse(BodyOf(answer), nullptr, /*allow_exceptions=*/false);
  }
  json Get(const std::string& path, int code = 200) { return Json(code, Ask("GET", path)); }
  json Post(const std::string& path, const std::string& body = "", int code = 200, const std::string& headers = "") {
    return Json(code, Ask("POST", path, body, headers));
  }
  void ExpectError(const json& error, const char* code, const std::string& text) {
    EXPECT_EQ(error["code"], code);
    EXPECT_THAT(error["error"].get<std::string>(), HasSubstr(text));
  }

  ApiWorld world_;
  std::unique_ptr<StatusApi> api_;
};

TEST_F(ApiRoutesTest, TheOverview) {
  world_.status.set_kwta_version("1.2.3");
  world_.status.set_jobs_running(2);
  world_.status.set_waiting_for_store("the disk is <b>full</b>");
  world_.load.queue_rows = 5;
  world_.load.queue_bytes = 600;
  world_.load.calls_in_flight = 7;
  world_.load.rows_per_second = {0, 1.5};
  world_.load.refused_calls = {{"queue_rows", 8}};
  world_.load.refused_connections = {{"host", 3}, {"slow", 1}};
  const json overview = Get("/api/overview");
  EXPECT_EQ(overview["version"], "1.2.3");
  EXPECT_EQ(overview["jobs"]["running"], 2);
  EXPECT_EQ(overview["waiting_for_store"], "the disk is <b>full</b>");
  EXPECT_EQ(overview["queue"], json({{"rows", 5}, {"bytes", 600}}));
  EXPECT_EQ(overview["calls_in_flight"], 7);
  EXPECT_EQ(overview["refused"]["calls"], json({{"queue_rows", 8}}));
  EXPECT_EQ(overview["refused"]["connections"], json({{"host", 3}, {"slow", 1}}));
  EXPECT_EQ(overview["rows_per_second"], json({0, 1.5}));
}

TEST_F(ApiRoutesTest, AnOverviewThatCannotBeHadSaysWhy) {
  world_.trouble = absl::UnavailableError("the store is gone");
  ExpectError(Get("/api/overview", 503), "UNAVAILABLE", "the store is gone");
}

TEST_F(ApiRoutesTest, OverviewsAreStreamed) {
  world_.status.set_kwta_version("1.2.3");
  HttpClient client(server_->port());
  client.Send("GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/event-stream\r\n")));
  EXPECT_THAT(client.ReadUntil("\n\n"), AllOf(HasSubstr("event: overview\n"), HasSubstr("\"version\":\"1.2.3\"")));
  EXPECT_THAT(client.ReadUntil("\n\n"), HasSubstr("event: overview\n"));
}

TEST_F(ApiRoutesTest, JobsAreListedNewestFirst) {
  for (const char* id : {"a", "b", "c"}) world_.AddJob(id, "digits");
  EXPECT_EQ(Get("/api/jobs")["jobs"].size(), 3u);
  const json jobs = Get("/api/jobs?limit=2")["jobs"];
  ASSERT_THAT(jobs, SizeIs(2));
  EXPECT_EQ(jobs[0]["id"], "c");
  EXPECT_EQ(jobs[0]["state"], "queued");
  ExpectError(Get("/api/jobs?limit=-1", 400), "INVALID_ARGUMENT", "'limit' is '-1'; expected a number of at least 0");
  ExpectError(Get("/api/jobs?limit=many", 400), "INVALID_ARGUMENT", "many");
}

TEST_F(ApiRoutesTest, AJobHasItsCurve) {
  world_.AddJob("a", "digits");
  v1::TrainingProgress progress;
  progress.set_epochs(4);
  for (int i = 1; i <= 3; ++i) {
    progress.set_fraction(i / 4.0f);
    progress.set_loss(10.0 / i);
    progress.set_k(20 - i);
    ASSERT_TRUE(world_.store()->Append("a", ProgressEvent(progress, absl::UnixEpoch())).ok());
  }
  const json answer = Get("/api/jobs/a");
  EXPECT_EQ(answer["job"]["model"], "digits");
  EXPECT_EQ(answer["job"]["progress"]["k"], 17);
  EXPECT_EQ(answer["curve"]["epochs"], json({1, 2, 3}));
  EXPECT_EQ(answer["curve"]["k"], json({19, 18, 17}));
  ExpectError(Get("/api/jobs/nobody", 404), "NOT_FOUND", "nobody");
}

TEST_F(ApiRoutesTest, AJobIsCancelled) {
  world_.AddJob("a", "digits");
  EXPECT_EQ(Post("/api/jobs/a/cancel")["state"], "cancelled");
  EXPECT_EQ(Get("/api/jobs/a")["job"]["state"], "cancelled");
  ExpectError(Post("/api/jobs/nobody/cancel", "", 404), "NOT_FOUND", "nobody");
  EXPECT_THAT(Ask("GET", "/api/jobs/a/cancel"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST")));
}

TEST_F(ApiRoutesTest, AJobsEventsAreStreamedUntilItEnds) {
  world_.AddJob("a", "digits");
  ASSERT_TRUE(world_.store()->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::UnixEpoch())).ok());
  ASSERT_TRUE(world_.store()->Append("a", SucceededEvent(3, absl::UnixEpoch())).ok());
  const std::string all = Ask("GET", "/api/jobs/a/events");
  EXPECT_THAT(all, AllOf(HasSubstr("Content-Type: text/event-stream\r\n"), HasSubstr("id: 1\n"), HasSubstr("id: 2\n"),
                         HasSubstr("id: 3\n"), HasSubstr("\"model_version\":3")));
  EXPECT_THAT(Ask("GET", "/api/jobs/a/events?after=1"), AllOf(Not(HasSubstr("id: 1\n")), HasSubstr("id: 2\n")));
  // A client that connects again has not heard what it asked for at first.
  EXPECT_THAT(Ask("GET", "/api/jobs/a/events?after=0", "", "Last-Event-ID: 2\r\n"),
              AllOf(Not(HasSubstr("id: 2\n")), HasSubstr("id: 3\n")));
  ExpectError(Get("/api/jobs/a/events?after=x", 400), "INVALID_ARGUMENT", "'after' is 'x'");
  ExpectError(Get("/api/jobs/nobody/events", 404), "NOT_FOUND", "nobody");
}

TEST_F(ApiRoutesTest, ModelsAndTheirVersions) {
  const json models = Get("/api/models")["models"];
  ASSERT_THAT(models, SizeIs(3));
  EXPECT_EQ(models[0]["name"], "brightness");
  EXPECT_EQ(models[0]["serving_version"], 2);
  EXPECT_EQ(models[0]["description"]["unit_kind"], "unit");
  EXPECT_EQ(models[1]["description"]["map"], json({{"height", 7}, {"width", 7}}));
  const json model = Get("/api/models/brightness");
  ASSERT_THAT(model["versions"], SizeIs(2));
  EXPECT_EQ(model["versions"][0]["version"], 2);
  ExpectError(Get("/api/models/nobody", 404), "NOT_FOUND", "nobody");
  // Names are text.
  ExpectError(Get("/api/models/%3Cb%3E", 404), "NOT_FOUND", "<b>");
}

TEST_F(ApiRoutesTest, StableGoesBack) {
  EXPECT_EQ(Post("/api/models/brightness/rollback")["serving_version"], 1);
  EXPECT_EQ(Get("/api/models/brightness")["labels"]["stable"], 1);
  ExpectError(Post("/api/models/maps/rollback", "", 400), "FAILED_PRECONDITION", "maps");
}

TEST_F(ApiRoutesTest, UnitsAndTheirPictures) {
  const json units = Get("/api/models/brightness/units?from=0&count=1&order=number&version=1");
  EXPECT_EQ(units["version"], 1);
  EXPECT_EQ(units["total"], 2);
  EXPECT_EQ(units["units"], json({0}));
  EXPECT_EQ(Get("/api/models/brightness/units")["units"].size(), 2u);
  EXPECT_EQ(Get("/api/models/maps/units/0")["rows"].size(), 8u);
  const std::string png = Ask("GET", "/api/models/brightness/units.png?units=1,0&columns=2");
  EXPECT_THAT(png, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: image/png\r\n")));
  const absl::StatusOr<Image> image = DecodePng(BodyOf(png), "units.png", 1 << 20);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 56);

  ExpectError(Get("/api/models/brightness/units?from=2", 400), "OUT_OF_RANGE", "from is 2; expected 0 .. 1");
  ExpectError(Get("/api/models/brightness/units?count=600", 400), "INVALID_ARGUMENT", "count is 600");
  ExpectError(Get("/api/models/brightness/units?version=x", 400), "INVALID_ARGUMENT", "'version' is 'x'");
  ExpectError(Get("/api/models/brightness/units?version=9", 404), "NOT_FOUND", "9");
  ExpectError(Get("/api/models/brightness/units/x", 400), "INVALID_ARGUMENT", "unit is 'x'");
  ExpectError(Get("/api/models/brightness/units/2", 400), "OUT_OF_RANGE", "unit is 2");
  ExpectError(Get("/api/models/brightness/units.png?units=0,x", 400), "INVALID_ARGUMENT", "'units' is not a list");
  ExpectError(Get("/api/models/brightness/units.png", 400), "INVALID_ARGUMENT", "'units' is not a list");
  ExpectError(Get("/api/models/brightness/units.png?units=0,5", 400), "OUT_OF_RANGE", "unit is 5");
  ExpectError(Get("/api/models/brightness/units.png?units=0&columns=0", 400), "INVALID_ARGUMENT", "columns is 0");
}

TEST_F(ApiRoutesTest, ActivityAndSamples) {
  EXPECT_EQ(Get("/api/models/maps/activity")["frequency"]["never"], 1);
  EXPECT_EQ(Get("/api/models/maps/samples/7")["sample"]["row"], 7);
  ExpectError(Get("/api/models/maps/samples/512", 400), "OUT_OF_RANGE", "row is 512");
  ExpectError(Get("/api/models/maps/samples/-1", 400), "INVALID_ARGUMENT", "row is '-1'");
}

TEST_F(ApiRoutesTest, PicturesAreEncoded) {
  const Image grey{1, 30, 40, std::vector<uint8_t>(1200, 51)};
  const json found = Post("/api/models/maps/examine", EncodePng(grey).value(), 200, "Content-Type: image/png\r\n");
  EXPECT_NEAR(found["maps"][0]["value"], 0.2, 1e-6);
  const std::string octets = "Content-Type: application/octet-stream\r\n";
  EXPECT_EQ(Post("/api/models/brightness/examine?version=1", std::string(784, '\xff'), 200, octets)["version"], 1);
  ExpectError(Post("/api/models/brightness/examine", "<b>no picture", 400), "INVALID_ARGUMENT",
              "neither a PNG nor a JPEG");
  ExpectError(Post("/api/models/brightness/examine", "123", 400, octets), "INVALID_ARGUMENT", "has 3 bytes");
  ExpectError(Post("/api/models/nobody/examine", "123", 404, octets), "NOT_FOUND", "nobody");
}

TEST_F(ApiRoutesTest, HugePicturesAreRefusedBeforeTheyAreDecoded) {
  // A small file says that it has 10,000 x 10,000 pixels.
  std::string file = EncodePng({1, 1, 1, {0}}).value();
  constexpr size_t kHeader = 12, kHeaderBytes = 17;  // of the chunk, with its type and without its checksum
  for (const size_t extent : {kHeader + 4, kHeader + 8}) file.replace(extent, 4, std::string("\0\0\x27\x10", 4));
  const auto checksum = static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(file.data()) + kHeader, static_cast<uInt>(kHeaderBytes)));
  for (size_t i = 0; i < 4; ++i) file[kHeader + kHeaderBytes + i] = static_cast<char>(checksum >> (24 - 8 * i));
  ExpectError(Post("/api/models/brightness/examine", file, 400), "INVALID_ARGUMENT", "at most 16777216");
  // A body beyond the limit is not read: its sender is told so at once.
  HttpClient client(server_->port());
  client.Send(
      absl::StrCat("POST /api/models/brightness/examine HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: ",
                   (16 << 20) + 1, "\r\n\r\n"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ApiRoutesTest, EachPathAsksForTheScopeOfItsCall) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("tokens.json");
  const std::vector<std::pair<std::string, Scope>> scopes = {
      {"encode", Scope::kEncode}, {"train", Scope::kTrain}, {"admin", Scope::kAdmin}};
  std::vector<TokenEntry> entries;
  for (const auto& [name, scope] : scopes) {
    TokenEntry& entry = entries.emplace_back();
    entry.name = name;
    entry.sha256 = HashOfToken(name);
    entry.scopes = {scope};
  }
  ASSERT_TRUE(WriteTokenFile(path, entries).ok());
  const auto authenticator = Authenticator::Open(path, {}, {}).value();
  server_.reset();
  pipeline_.authenticator = authenticator.get();
  Serve();
  world_.AddJob("a", "digits");

  struct Path {
    const char* verb;
    const char* path;
    std::vector<std::string> allowed;
  };
  const std::vector<std::string> any = {"encode", "train", "admin"};
  const Path paths[] = {{"GET", "/api/overview", any},
                        {"GET", "/api/models", any},
                        {"GET", "/api/models/maps", any},
                        {"GET", "/api/jobs", {"train"}},
                        {"GET", "/api/jobs/a", {"train"}},
                        {"POST", "/api/jobs/a/cancel", {"train"}},
                        {"GET", "/api/jobs/a/events", {"train"}},
                        {"GET", "/api/models/maps/units", {"encode"}},
                        {"GET", "/api/models/maps/units/0", {"encode"}},
                        {"GET", "/api/models/maps/units.png?units=0", {"encode"}},
                        {"GET", "/api/models/maps/activity", {"encode"}},
                        {"GET", "/api/models/maps/samples/0", {"encode"}},
                        {"POST", "/api/models/brightness/rollback", {"admin"}}};
  for (const Path& each : paths) {
    EXPECT_THAT(Ask(each.verb, each.path), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("UNAUTHENTICATED")))
        << each.path;
    for (const std::string& token : any) {
      const bool allowed = std::find(each.allowed.begin(), each.allowed.end(), token) != each.allowed.end();
      EXPECT_THAT(Ask(each.verb, each.path, "", absl::StrCat("Authorization: Bearer ", token, "\r\n")),
                  StartsWith(allowed ? "HTTP/1.1 200 " : "HTTP/1.1 403 "))
          << each.path << " with a token of scope " << token;
    }
  }
  server_.reset();
  pipeline_.authenticator = nullptr;
}

TEST_F(ApiRoutesTest, PagesOfOtherSitesChangeNothing) {
  world_.AddJob("a", "digits");
  EXPECT_THAT(Ask("POST", "/api/jobs/a/cancel", "", "Sec-Fetch-Site: cross-site\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(Get("/api/jobs/a")["job"]["state"], "queued");
}

}  // namespace
}  // namespace kwta::server
