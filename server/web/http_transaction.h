// The HTTP port's side of one request: from its head to the end of its answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/steady_time.h"
#include "server/services/call.h"
#include "server/web/http_body.h"
#include "server/web/http_exchange.h"
#include "server/web/http_posts.h"
#include "server/web/http_routes.h"
#include "server/web/http_stream.h"
#include "server/web/http_workers.h"

namespace kwta::server {

// What all transactions of a server share; the last of them may end after the server.
struct HttpShared {
  HttpShared(int64_t max_held_bytes, int streams, int streams_of_host)
      : held(std::make_shared<HeldBytes>(max_held_bytes)), slots(streams, streams_of_host) {}

  HttpPosts posts;
  const std::shared_ptr<HeldBytes> held;
  HttpStreamSlots slots;
  std::unique_ptr<HttpWorkers> blocking, computing;  // threads for work that waits, and for work that computes
};

// The library's connection, as a transaction sees it. The port's thread uses it.
class HttpConnection {
 public:
  // Calls Ready of the connection again, once, after the library has waited for that.
  virtual void Resume() = 0;

 protected:
  ~HttpConnection() = default;
};

// The port's thread uses it, except where it says otherwise.
class HttpTransaction final : public CallTransport, public std::enable_shared_from_this<HttpTransaction> {
 public:
  // `descriptor` is the connection's. REQUIRES: pipeline outlives it; the connection lives until Gone.
  HttpTransaction(std::shared_ptr<HttpShared> shared, const CallPipeline* pipeline, HttpRequest request,
                  std::string host, HttpConnection* connection, int descriptor);
  ~HttpTransaction();

  const HttpRequest& request() const { return request_; }
  const std::string& host() const { return host_; }
  SteadyTime start() const { return start_; }

  // Looks at the head. Afterwards refused() says whether there is an answer already.
  void Begin(std::shared_ptr<const HttpRoutes> routes, bool accept_compression);
  bool refused() const { return response_.has_value(); }
  // The bytes of the body that its head declares; -1: it does not say; 0: there is none.
  int64_t declared_bytes() const { return declared_; }
  bool body_complete() const { return body_complete_; }

  // Takes a piece of the body. Returns false if the client sends on and on what nobody wants.
  bool Append(absl::string_view piece);
  // The body is complete: calls the handler.
  void Run();

  // The answer, once there is one: the caller moves it out, and takes the stream if it goes on.
  bool answered() const { return response_.has_value(); }
  HttpResponse TakeResponse() { return *std::exchange(response_, std::nullopt); }
  const std::shared_ptr<QueuedHttpStream>& stream() const { return stream_; }
  // Reads from the stream, if the caller may still see it.
  ssize_t ReadStream(char* buffer, size_t most);
  // The library waits for Resume.
  void Suspended() { suspended_ = true; }

  // Answers, from any thread, unless there is an answer already.
  void Reply(HttpResponse response);
  HttpStreamPtr Stream(HttpResponse response);
  void RunOn(HttpWorkers* workers, std::function<void()> work);
  std::string TakeBody() { return std::move(request_.body); }
  CallContext Context() const { return *context_; }
  HttpShared& shared() const { return *shared_; }

  // Called about once a second.
  void Tick(SteadyTime now);
  // The answer was sent, or the connection is closed.
  void Gone(bool sent);

  // CallTransport.
  absl::string_view Metadata(const char* name) const override;
  std::string Peer() const override { return request_.peer; }
  absl::Time Deadline() const override { return absl::InfiniteFuture(); }
  bool Cancelled() const override;  // any thread
  void AddTrailing(const char* name, const std::string& value) override;

 private:
  // Returns the answer if the head says already that the request fails.
  std::optional<HttpResponse> Refusal(const HttpRoutes& routes, bool accept_compression);
  std::optional<HttpResponse> CheckRoute(const HttpRoutes& routes);
  std::optional<HttpResponse> CheckBodyHead(bool accept_compression, HttpPacking* packing);
  void Deliver(HttpResponse response, std::shared_ptr<QueuedHttpStream> stream);
  void FinishCall(const absl::Status& status);

  const std::shared_ptr<HttpShared> shared_;
  const CallPipeline& pipeline_;
  HttpRequest request_;
  const std::string host_;
  const SteadyTime start_ = SteadyTime::Now();
  HttpConnection* connection_;   // null: gone
  std::atomic<int> descriptor_;  // -1: the connection is not this request's any more
  std::shared_ptr<const HttpRoutes> routes_;
  const HttpRoute* route_ = nullptr;
  HeldBytesClaim claim_;
  std::optional<HttpBody> body_;
  int64_t declared_ = 0, received_ = 0;
  bool body_complete_ = false;
  std::optional<Call> call_;  // from the head to the answer, or to the end of the stream
  std::optional<CallContext> context_;
  std::vector<std::pair<std::string, std::string>> trailing_;
  std::optional<HttpResponse> response_;
  std::shared_ptr<QueuedHttpStream> stream_;
  bool suspended_ = false;
  std::atomic<bool> replied_{false};
};

}  // namespace kwta::server
