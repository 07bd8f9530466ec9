#include "server/web/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/web/pages.h"
#include "tests/https_get.h"
#include "tests/server/web/http_fixture.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using kwta::testing::HttpsGet;
using kwta::testing::HttpsIdentity;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpServerTest : public HttpFixture {
 protected:
  HttpServerTest() { Start(nullptr); }

  void Start(std::unique_ptr<TlsCredentials> tls) {
    HttpPages pages;
    pages.metrics = [] { return std::string("kwta_answer 42\n"); };
    pages.not_ready = [this] { return not_ready_; };
    pages.trouble = [this] { return trouble_; };
    auto routes = std::make_shared<HttpRoutes>();
    AddMonitoringPages(std::move(pages), routes.get());
    StartServer(std::move(routes), {}, std::move(tls));
  }

  std::string not_ready_, trouble_;  // set only while no request is made
};

TEST_F(HttpServerTest, Metrics) {
  EXPECT_THAT(Ask("GET", "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    HasSubstr("Content-Length: 15\r\n"), EndsWith("\r\n\r\nkwta_answer 42\n")));
}

TEST_F(HttpServerTest, HealthIsLifeReadinessIsReadiness) {
  EXPECT_THAT(Ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/readyz"), StartsWith("HTTP/1.1 200 "));
  not_ready_ = "draining";
  EXPECT_THAT(Ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("GET", "/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("not ready: draining\n")));
}

TEST_F(HttpServerTest, ReadyTellsWhatDoesNotWork) {
  trouble_ = "jobs wait for the store: no room";
  EXPECT_THAT(Ask("GET", "/readyz"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nready; jobs wait for the store: no room\n")));
  not_ready_ = "draining";
  EXPECT_THAT(Ask("GET", "/readyz"), EndsWith("not ready: draining\n"));
}

TEST_F(HttpServerTest, OtherPathsAndMethods) {
  EXPECT_THAT(Ask("GET", "/nowhere"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("no such path: '/nowhere'")));
  EXPECT_THAT(Ask("GET", "/metrics/../../etc/passwd"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask("POST", "/metrics"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask("POST", "/metrics", "a=b"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask("GET", "/healthz", "a body that nobody wants"), EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(Ask("HEAD", "/metrics"), EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, ConnectionsAreCounted) {
  HttpServerOptions options;
  options.max_connections_of_host = 2;
  StartServer(std::make_shared<HttpRoutes>(), options);
  {
    const HttpClient first(server_->port()), second(server_->port());  // they ask nothing
    EXPECT_THAT(Ask("GET", "/"), StartsWith("HTTP/1.1 404 "));         // in the place of the first
  }
  server_.reset();
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_connections_total{port=\"http\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_open{port=\"http\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_refused_total{port=\"http\",reason=\"made_room\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_refused_total{port=\"http\",reason=\"total\"} 0\n"));
}

TEST_F(HttpServerTest, APortInUseIsUnavailable) {
  HttpServerOptions options;
  options.address = absl::StrCat("127.0.0.1:", server_->port());
  const absl::Status status = HttpServer::Start(options, nullptr, nullptr, std::make_shared<HttpRoutes>()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("choose another with --http"));
}

TEST_F(HttpServerTest, HostsHaveNames) {
  HttpServerOptions options;
  options.address = "localhost:0";
  const auto named = HttpServer::Start(options, nullptr, nullptr, std::make_shared<HttpRoutes>());
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_GT((*named)->port(), 0);
  options.address = "no.such.host.invalid:0";
  const absl::Status status = HttpServer::Start(options, nullptr, nullptr, std::make_shared<HttpRoutes>()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no.such.host.invalid"));
}

// With certificates that are looked at for every connection.
class HttpsServerTest : public HttpServerTest {
 protected:
  ~HttpsServerTest() override { server_.reset(); }  // before what it uses

  std::unique_ptr<TlsCredentials> Open(bool ask_clients) {
    TlsFiles files = {directory_.File("server.pem"), directory_.File("server.key")};
    if (ask_clients) files.client_ca = directory_.File("clients.pem");
    files.reload_seconds = 0;
    Certificates::Events events;
    events.looked = [this](const absl::Status& status) { looks_.push_back(status); };
    certificates_ = Certificates::Open(files, std::move(events)).value();
    return TlsCredentials::Open(certificates_.get(), nullptr).value();
  }

  void Install(const std::string& source, const std::string& name) {
    std::filesystem::copy_file(kTls + source, directory_.File(name), std::filesystem::copy_options::overwrite_existing);
  }

  void InstallServer(const std::string& name) {
    Install(name + ".pem", "server.pem");
    Install(name + ".key", "server.key");
  }

  std::string AskSecurely(const std::string& path, const std::string& authority, const std::string& client = "") {
    HttpsIdentity identity = {kTls + authority};
    if (!client.empty()) {
      identity.certificate = kTls + client + ".pem";
      identity.key = kTls + client + ".key";
    }
    return HttpsGet(server_->port(), path, identity);
  }

  const std::string kTls = KWTA_TEST_DATA "/tls/";
  const TemporaryDirectory directory_;
  std::vector<absl::Status> looks_;  // written by the server's thread while a request waits
  std::unique_ptr<Certificates> certificates_;
};

TEST_F(HttpsServerTest, SpeaksTlsOnly) {
  InstallServer("server-a");
  Start(Open(false));
  EXPECT_THAT(AskSecurely("/metrics", "ca-a.pem"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("kwta_answer 42\n")));
  EXPECT_EQ(AskSecurely("/healthz", "ca-b.pem"), "") << "a server of another authority";
  EXPECT_EQ(Ask("GET", "/healthz"), "") << "plain HTTP";
}

TEST_F(HttpsServerTest, ProbesNeedNoCertificateButAllElseDoes) {
  InstallServer("server-a");
  Install("ca-a.pem", "clients.pem");
  Start(Open(true));
  EXPECT_THAT(AskSecurely("/healthz", "ca-a.pem"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(AskSecurely("/readyz", "ca-a.pem"), StartsWith("HTTP/1.1 200 "));
  for (const char* path : {"/metrics", "/", "/nowhere"}) {
    EXPECT_THAT(AskSecurely(path, "ca-a.pem"), AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("client certificate")));
  }
  EXPECT_THAT(AskSecurely("/metrics", "ca-a.pem", "client-a"), EndsWith("kwta_answer 42\n"));
  // The authority is another one from now on.
  Install("ca-b.pem", "clients.pem");
  EXPECT_THAT(AskSecurely("/metrics", "ca-a.pem", "client-a"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(AskSecurely("/healthz", "ca-a.pem", "client-a"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpsServerTest, CertificatesAreReadAgain) {
  InstallServer("server-a");
  Start(Open(false));
  EXPECT_THAT(AskSecurely("/healthz", "ca-a.pem"), StartsWith("HTTP/1.1 200 "));
  // Between the two renames there is a certificate whose key is not there yet: the old ones are good still.
  Install("server-b.pem", "server.pem");
  EXPECT_THAT(AskSecurely("/healthz", "ca-a.pem"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(AskSecurely("/readyz", "ca-a.pem"), StartsWith("HTTP/1.1 200 "));
  Install("server-b.key", "server.key");
  EXPECT_THAT(AskSecurely("/healthz", "ca-b.pem"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(AskSecurely("/healthz", "ca-a.pem"), "");
  server_.reset();
  ASSERT_EQ(looks_.size(), 2u) << "each told once";
  EXPECT_EQ(looks_[0].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(looks_[0].message()), HasSubstr("no certificate and its key"));
  EXPECT_TRUE(looks_[1].ok());
}

TEST_F(HttpServerTest, ABodyThatNeverEndsIsGivenUp) {
  auto routes = std::make_shared<HttpRoutes>();
  HttpRoute route =
      Route("POST", "/echo", [](const std::shared_ptr<HttpExchange>& exchange) { exchange->Reply(HttpJson("{}")); });
  route.max_body_bytes = 1000;
  routes->Add(std::move(route));
  HttpServerOptions options;
  options.body_time = absl::Seconds(1);
  options.silence_seconds = 600;
  StartServer(std::move(routes), options);
  HttpClient client(server_->port());
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"));
  EXPECT_EQ(client.ReadAll(), "");  // until the connection ends
}

}  // namespace
}  // namespace kwta::server
