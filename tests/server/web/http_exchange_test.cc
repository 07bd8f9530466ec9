#include "server/web/http_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "tests/server/web/http_fixture.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kChunked[] = "Transfer-Encoding: chunked\r\n";

HttpResponse Text(std::string text) {
  HttpResponse response;
  response.body = std::move(text);
  return response;
}

// What a stream's test holds of it.
struct HeldStream {
  absl::Mutex mutex;
  HttpStreamPtr stream ABSL_GUARDED_BY(mutex);

  HttpStreamPtr Wait() {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(
        +[](HeldStream* self) ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->stream != nullptr; }, this));
    return std::exchange(stream, nullptr);
  }
};

class HttpExchangeTest : public HttpFixture {
 protected:
  void Start(HttpServerOptions options = {}) {
    auto routes = std::make_shared<HttpRoutes>();
    HttpRoute echo = Route("POST", "/echo", QuickHandler([](const HttpRequest& request) {
                             return Text(absl::StrCat(request.body, "|", request.Query("q"), "|",
                                                      request.Header("x-two"), "|", request.peer));
                           }));
    echo.max_body_bytes = 1000;
    echo.body_types = {"application/json", "application/octet-stream"};
    routes->Add(echo);
    HttpRoute call = Route("POST", "/call/{name}", [this](const HttpExchangePtr& exchange) { handler_(exchange); });
    call.access = HttpAccess::kMethod;
    call.method = &methods::kModelInfer;
    call.max_body_bytes = 1 << 20;
    routes->Add(call);
    routes->Add(Route("GET", "/events", [this](const HttpExchangePtr& exchange) {
      HttpResponse head = Text("first\n");
      head.type = "text/event-stream";
      absl::MutexLock lock(&held_.mutex);
      held_.stream = exchange->Stream(std::move(head));
    }));
    routes->Add(Route("GET", "/slow", BlockingHandler([this](const HttpRequest&) {
                        blocked_.WaitForNotification();
                        return Text("slow");
                      })));
    StartServer(std::move(routes), options);
  }

  HttpHandler handler_ = QuickHandler([](const HttpRequest& request) { return Text(request.Segment("name")); });
  HeldStream held_;
  absl::Notification blocked_;
};

TEST_F(HttpExchangeTest, BodiesAndHeads) {
  Start();
  EXPECT_THAT(Ask("POST", "/echo?q=a%2Bb+c&q=2", "body", "X-Two: 1\r\nx-two: 2\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nbody|a+b c|1, 2|ipv4:127.0.0.1")));
  EXPECT_THAT(Ask("POST", "/echo", "{}", "Content-Type: Application/JSON; charset=utf-8\r\n"), HasSubstr("{}|"));
}

TEST_F(HttpExchangeTest, RefusalsAreJson) {
  Start();
  EXPECT_THAT(Ask("PUT", "/echo"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST, OPTIONS\r\n"),
                                         HasSubstr("{\"code\":\"UNIMPLEMENTED\",\"error\":\"'/echo' takes POST")));
  EXPECT_THAT(Ask("GET", "/nowhere"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("{\"code\":\"NOT_FOUND\"")));
  EXPECT_THAT(Ask("OPTIONS", "/echo"), AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("Allow: POST, OPTIONS\r\n")));
  EXPECT_THAT(Ask("HEAD", "/echo"), AllOf(StartsWith("HTTP/1.1 405 "), EndsWith("\r\n\r\n")));
  EXPECT_THAT(Ask("POST", "/echo", std::string(1001, 'x')),
              AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("the body has 1001 bytes; this path takes 1000")));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Content-Type: image/png\r\n"),
              AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("expected application/json or application/octet-stream")));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Content-Encoding: gzip\r\n"),
              AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("--accept-compression")));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Content-Encoding: br\r\n"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Ask("POST", "/echo", "0\r\n\r\n", kChunked), HasSubstr("are both there"));
}

TEST_F(HttpExchangeTest, ChunkedBodiesHaveTheSameLimit) {
  Start();
  HttpClient small(server_->port());
  small.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
  EXPECT_THAT(small.ReadAll(), HasSubstr("\r\n\r\nbody|"));
  HttpClient large(server_->port());
  large.Send("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i) large.Send(absl::StrCat("64\r\n", std::string(100, 'x'), "\r\n"));
  large.Send("0\r\n\r\n");
  EXPECT_THAT(large.ReadAll(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpExchangeTest, WhoAsksFirstSendsNothing) {
  Start();
  HttpClient client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("Connection: close")));
}

TEST_F(HttpExchangeTest, ConnectionsGoOnAfterRefusals) {
  Start();
  HttpClient client(server_->port());
  client.Send(absl::StrCat("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", std::string(5000, 'x'),
                           "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_THAT(client.ReadAll(), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("\r\n\r\nbody|")));
}

TEST_F(HttpExchangeTest, PagesOfOtherSitesChangeNothing) {
  Start();
  EXPECT_THAT(Ask("POST", "/echo", "x", "Origin: http://elsewhere.example\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Origin: null\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Sec-Fetch-Site: cross-site\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Origin: http://LOCALHOST\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("POST", "/echo", "x", "Sec-Fetch-Site: same-origin\r\nOrigin: http://proxy\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpExchangeTest, CallsGoThroughThePipeline) {
  handler_ = QuickHandler([](const HttpRequest&) { return HttpError(absl::ResourceExhaustedError("full")); });
  Start();
  EXPECT_THAT(Ask("POST", "/call/a", "", "X-Request-Id: 7\r\n"),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: 1\r\n"), HasSubstr("x-request-id: 7\r\n")));
  permits_.Close();
  EXPECT_THAT(Ask("POST", "/call/a"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("draining")));
  const std::string metrics = metrics_.Render();
  EXPECT_THAT(metrics, HasSubstr("ModelInfer"));
  EXPECT_THAT(metrics, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(metrics, HasSubstr("UNAVAILABLE"));
}

TEST_F(HttpExchangeTest, CallersNeedATokenBeforeTheirBodyIsRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("tokens.json");
  TokenEntry entry;
  entry.name = "reader";
  entry.sha256 = HashOfToken("secret");
  entry.scopes = {Scope::kTrain};
  ASSERT_TRUE(WriteTokenFile(path, {entry}).ok());
  const auto authenticator = Authenticator::Open(path, {}, {}).value();
  pipeline_.authenticator = authenticator.get();
  Start();
  HttpClient client(server_->port());
  client.Send("POST /call/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("WWW-Authenticate: Bearer\r\n")));
  EXPECT_THAT(Ask("POST", "/call/a", "x", "Authorization: Bearer secret\r\n"),
              AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("PERMISSION_DENIED")));
  server_.reset();
}

TEST_F(HttpExchangeTest, AnswersComeFromOtherThreads) {
  std::vector<std::thread> threads;
  handler_ = [&threads](const HttpExchangePtr& exchange) {
    threads.emplace_back([exchange] {
      exchange->Reply(Text(exchange->TakeBody() + exchange->Context().caller));
      exchange->Reply(Text("too late"));
    });
  };
  Start();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(Ask("POST", "/call/a", absl::StrCat(i, ":")), EndsWith(absl::StrCat("\r\n\r\n", i, ":ipv4:127.0.0.1")));
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HttpExchangeTest, WhoForgetsToAnswerIsNoticed) {
  handler_ = [](const HttpExchangePtr&) {};
  Start();
  EXPECT_THAT(Ask("POST", "/call/a"), AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("dropped the request")));
}

TEST_F(HttpExchangeTest, ContextsKnowThatTheClientLeft) {
  absl::Notification started, arrived, left;
  bool before = true, after = false;
  std::thread thread;
  handler_ = [&](const HttpExchangePtr& exchange) {
    thread = std::thread([&, exchange] {
      const CallContext context = exchange->Context();
      before = context.cancelled();
      arrived.Notify();
      left.WaitForNotification();
      after = context.cancelled();
      exchange->Reply(Text(""));
    });
    started.Notify();
  };
  Start();
  {
    HttpClient client(server_->port());
    client.Send("POST /call/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    arrived.WaitForNotification();
  }
  left.Notify();
  started.WaitForNotification();  // `thread` is whole, which its own first steps do not tell
  thread.join();
  EXPECT_FALSE(before);
  EXPECT_TRUE(after);
}

TEST_F(HttpExchangeTest, WorkThatWaitsDoesNotBlockTheOthers) {
  Start();
  HttpClient slow(server_->port());
  slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(Ask("POST", "/echo", "x"), StartsWith("HTTP/1.1 200 "));
  blocked_.Notify();
  EXPECT_THAT(slow.ReadAll(), EndsWith("\r\n\r\nslow"));
}

TEST_F(HttpExchangeTest, StreamsGoOn) {
  Start();
  HttpClient client(server_->port());
  client.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("first\n"), AllOf(HasSubstr("text/event-stream"), HasSubstr("chunked")));
  const HttpStreamPtr stream = held_.Wait();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(stream->Send(ServerSentEvent("tick", absl::StrCat(i), "a\nb")));
    EXPECT_THAT(client.ReadUntil("\n\n"), HasSubstr(absl::StrCat("event: tick\nid: ", i, "\ndata: a\ndata: b\n\n")));
  }
  stream->Close();
  EXPECT_FALSE(stream->Send("x"));
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n")) << "the connection goes on";
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpExchangeTest, StreamsEndWithTheirClients) {
  HttpServerOptions options;
  options.max_streams_of_host = 1;
  Start(options);
  HttpStreamPtr stream;
  {
    HttpClient client(server_->port());
    client.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    client.ReadUntil("first\n");
    stream = held_.Wait();
    EXPECT_THAT(Ask("GET", "/events"), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("too many streams")));
    EXPECT_TRUE(held_.Wait()->over());
  }
  while (!stream->over()) std::this_thread::yield();  // as long as the test may take
  EXPECT_FALSE(stream->Send("x"));
}

TEST_F(HttpExchangeTest, ASlowReaderIsDropped) {
  Start();
  HttpClient client(server_->port());
  client.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  client.ReadUntil("first\n");
  const HttpStreamPtr stream = held_.Wait();
  size_t sent = 0;
  while (stream->Send(std::string(10000, 'x'))) sent += 10000;
  EXPECT_LT(sent, 64u << 20) << "the sockets' buffers and 256 KiB";
  EXPECT_THAT(client.ReadAll(), Not(EndsWith("0\r\n\r\n")));
}

TEST_F(HttpExchangeTest, TheEndOfTheServerEndsEverything) {
  Start();
  HttpClient streams(server_->port()), waits(server_->port());
  streams.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  streams.ReadUntil("first\n");
  server_->EndStreams();
  EXPECT_THAT(streams.ReadUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
  EXPECT_THAT(Ask("GET", "/events"), StartsWith("HTTP/1.1 429 "));
  absl::Notification arrived;
  HttpExchangePtr kept;
  handler_ = [&](const HttpExchangePtr& exchange) {
    kept = exchange;
    arrived.Notify();
  };
  waits.Send("POST /call/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  arrived.WaitForNotification();
  server_.reset();
  EXPECT_THAT(waits.ReadAll(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("the server stops")));
  kept->Reply(Text("too late"));
}

TEST_F(HttpExchangeTest, IdleConnectionsMakeRoom) {
  HttpServerOptions options;
  options.max_connections_of_host = 4;
  Start(options);
  std::vector<std::unique_ptr<HttpClient>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(std::make_unique<HttpClient>(server_->port()));
    idle.back()->Send("OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.back()->ReadUntil("\r\n\r\n");
  }
  EXPECT_THAT(Ask("POST", "/echo", "x"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(idle[0]->ReadAll(), "") << "the longest idle was closed";
  idle[3]->Send("OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(idle[3]->ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
}

}  // namespace
}  // namespace kwta::server
