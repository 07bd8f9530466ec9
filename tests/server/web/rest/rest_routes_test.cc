#include "server/web/rest/rest_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/batching/batcher.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/server/web/http_fixture.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kRows[] = R"({"id":"q","inputs":[{"name":"input","datatype":"FP32","shape":[1,2],"data":[1,2]}])";
constexpr int64_t kMostBytes = 1 << 20;

// Rows of two floats, codes of four units.
class RestRoutesTest : public HttpFixture {
 protected:
  RestRoutesTest() {
    WriteTestBundle(directory_.path(), "digits/1", "digits");
    WriteTestBundle(directory_.path(), "digits/2", "digits");
    models_ =
        ModelManager::Open(
            directory_.path(), ModelManagerOptions(), [this](const ModelBundle&) { return encoder_; }, IgnoreEvents())
            .value();
    models_->Start();
    batcher_ = std::make_unique<Batcher>(BatcherOptions(), BatcherEvents());
    batcher_->Start();
    encode_ = std::make_unique<EncodeHandler>(models_.get(), batcher_.get(), kMostBytes);
    InferenceHandlerParts parts;
    parts.models = models_.get();
    parts.encode = encode_.get();
    parts.ready = [this] { return ready_; };
    parts.version = "1.2.3";
    parts.max_message_bytes = kMostBytes;
    parts.max_batch_rows = 256;
    handler_ = std::make_unique<InferenceHandler>(std::move(parts));
    auto routes = std::make_shared<HttpRoutes>();
    AddRestRoutes(handler_.get(), kMostBytes, routes.get());
    StartServer(std::move(routes));
  }
  ~RestRoutesTest() override {
    models_->Stop();
    batcher_->Drain();
    server_.reset();
  }

  // The JSON of an answer whose code is `code`.
  nlohmann::json Json(int code, const std::string& answer) {
    EXPECT_THAT(answer, StartsWith(absl::StrCat("HTTP/1.1 ", code, " ")));
    return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, /*allow_exceptions=*/false);
  }
  nlohmann::json Get(const std::string& path, int code = 200) { return Json(code, Ask("GET", path)); }
  nlohmann::json Post(const std::string& path, const std::string& body, int code = 200) {
    return Json(code, Ask("POST", path, body));
  }

  bool ready_ = true;  // set only while no request is made
  const TemporaryDirectory directory_;
  std::shared_ptr<FakeEncoder> encoder_ = std::make_shared<FakeEncoder>(2, 4);
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<EncodeHandler> encode_;
  std::unique_ptr<InferenceHandler> handler_;
};

TEST_F(RestRoutesTest, Infer) {
  const nlohmann::json answer = Post("/v2/models/digits/infer", absl::StrCat(kRows, "}"));
  EXPECT_EQ(answer["model_name"], "digits");
  EXPECT_EQ(answer["model_version"], "2");
  EXPECT_EQ(answer["id"], "q");
  EXPECT_EQ(answer["outputs"][0]["shape"], nlohmann::json({1, 4}));
  EXPECT_EQ(answer["outputs"][0]["data"].size(), 4u);
  EXPECT_EQ(Post("/v2/models/digits/versions/1/infer", absl::StrCat(kRows, "}"))["model_version"], "1");
  EXPECT_THAT(metrics_.Render(), HasSubstr("ModelInfer"));
}

TEST_F(RestRoutesTest, ErrorsOfInfer) {
  EXPECT_THAT(Post("/v2/models/nobody/infer", absl::StrCat(kRows, "}"), 404)["error"].get<std::string>(),
              HasSubstr("nobody"));
  EXPECT_EQ(Post("/v2/models/digits/versions/9/infer", absl::StrCat(kRows, "}"), 404)["code"], "NOT_FOUND");
  EXPECT_THAT(Post("/v2/models/digits/infer", "{", 400)["error"].get<std::string>(), HasSubstr("syntax error"));
  EXPECT_THAT(Post("/v2/models/digits/infer", absl::StrCat(kRows, R"(,"outputs":[{"name":"x"}]})"), 400)["error"]
                  .get<std::string>(),
              HasSubstr("output 'x' does not exist"));
  EXPECT_THAT(Ask("GET", "/v2/models/digits/infer"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST")));
  EXPECT_THAT(Ask("POST", "/v2/models/digits/infer", std::string(kMostBytes + 1, ' ')), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask("POST", "/v2/models/digits/infer", "x", "Content-Type: image/png\r\n"), StartsWith("HTTP/1.1 415 "));
  permits_.Close();
  EXPECT_EQ(Post("/v2/models/digits/infer", absl::StrCat(kRows, "}"), 503)["code"], "UNAVAILABLE");
}

TEST_F(RestRoutesTest, BigRequestsAreConvertedElsewhere) {
  std::string data = "1,2";
  for (int i = 1; i < 60000; ++i) data += ",1,2";
  const nlohmann::json answer =
      Post("/v2/models/digits/infer", absl::StrCat(R"({"inputs":[{"name":"input","datatype":"FP32","shape":[60000,2],)",
                                                   R"("data":[)", data, R"(]}],"outputs":[{"name":"indices"}]})"));
  EXPECT_EQ(answer["outputs"][0]["shape"][0], 60000) << answer;
}

TEST_F(RestRoutesTest, Health) {
  EXPECT_EQ(Get("/v2/health/live")["live"], true);
  EXPECT_EQ(Get("/v2/health/ready")["ready"], true);
  EXPECT_EQ(Get("/v2/models/digits/ready")["ready"], true);
  EXPECT_EQ(Get("/v2/models/nobody/ready", 404)["code"], "NOT_FOUND");
  ready_ = false;
  EXPECT_EQ(Get("/v2/health/ready", 503)["ready"], false);
  EXPECT_EQ(Get("/v2/models/digits/ready", 503)["code"], "UNAVAILABLE");
  EXPECT_EQ(Get("/v2/health/live")["live"], true);
}

TEST_F(RestRoutesTest, WhatIsKnownOfModels) {
  EXPECT_EQ(Get("/v2")["name"], "kwta");
  const nlohmann::json metadata = Get("/v2/models/digits");
  EXPECT_EQ(metadata["versions"], nlohmann::json({"1", "2"}));
  EXPECT_EQ(metadata["inputs"][0]["shape"], nlohmann::json({-1, 2}));
  const nlohmann::json config = Get("/v2/models/digits/versions/1/config");
  EXPECT_EQ(config["max_batch_size"], 256);
  EXPECT_EQ(config["input"][0]["data_type"], "TYPE_FP32");
  EXPECT_EQ(config["model_transaction_policy"]["decoupled"], false);
  const nlohmann::json statistics = Get("/v2/models/digits/stats")["model_stats"][0];
  EXPECT_EQ(statistics["inference_stats"]["success"]["count"], 0);
  EXPECT_EQ(Get("/v2/models/stats")["model_stats"], nlohmann::json::array());
  EXPECT_EQ(Get("/v2/models/nobody", 404)["code"], "NOT_FOUND");
  EXPECT_EQ(Get("/v2/models/nobody/config", 404)["code"], "NOT_FOUND");
  EXPECT_EQ(Get("/v2/models/nobody/stats", 404)["code"], "NOT_FOUND");
}

TEST_F(RestRoutesTest, Repository) {
  EXPECT_EQ(Post("/v2/repository/index", "").size(), 2u);
  EXPECT_EQ(Post("/v2/repository/models/digits/unload", "")["isUnloaded"], true);
  EXPECT_EQ(Post("/v2/repository/index", R"({"ready":true})").size(), 0u);
  EXPECT_EQ(Post("/v2/models/digits/infer", absl::StrCat(kRows, "}"), 503)["code"], "UNAVAILABLE");
  EXPECT_EQ(Post("/v2/repository/models/digits/load", R"({"parameters":{"config":"{}"}})", 501)["code"],
            "UNIMPLEMENTED");
  EXPECT_EQ(Post("/v2/repository/models/digits/load", "{}")["isLoaded"], true);
  EXPECT_EQ(Post("/v2/repository/models/nobody/load", "", 404)["code"], "NOT_FOUND");
  EXPECT_EQ(Post("/v2/repository/index", "[", 400)["code"], "INVALID_ARGUMENT");
}

TEST_F(RestRoutesTest, WhatIsNotServedSaysSo) {
  EXPECT_THAT(Get("/v2/systemsharedmemory/status", 501)["error"].get<std::string>(),
              HasSubstr("shared memory is not served"));
  EXPECT_THAT(Get("/v2/trace/setting", 501)["error"].get<std::string>(), HasSubstr("traces are not served"));
  EXPECT_THAT(Post("/v2/logging", "{}", 501)["error"].get<std::string>(), HasSubstr("--log-level"));
}

}  // namespace
}  // namespace kwta::server
