// One request on the HTTP port and its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/services/encode_handler.h"
#include "server/web/http_message.h"

namespace kwta::server {

// A response that goes on for as long as both sides want: server-sent events. Thread-safe.
class HttpStream {
 public:
  virtual ~HttpStream() = default;

  // Sends `bytes` when the client can take them; never waits. Returns false, and sends nothing, if the stream is over:
  // the client is gone or takes nothing, its token was removed, the server stops, or Close was called. A client that
  // leaves more than 256 KiB waiting is dropped. It may connect again.
  virtual bool Send(std::string bytes) = 0;
  // Ends the stream after what was sent.
  virtual void Close() = 0;
  virtual bool over() const = 0;
};
using HttpStreamPtr = std::shared_ptr<HttpStream>;

// The form of one server-sent event: its name (empty: "message"), its id (empty: none) and its data, which may have
// several lines.
std::string ServerSentEvent(absl::string_view name, absl::string_view id, absl::string_view data);

// Thread-safe. The request stays as it is until the last pointer to the exchange is gone.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  virtual const HttpRequest& request() const = 0;
  // Moves the body out. REQUIRES: nobody else reads it.
  virtual std::string TakeBody() = 0;

  // For the EncodeHandler: who calls, and whether he still waits. REQUIRES: the route names a method. Valid as long as
  // the exchange.
  virtual CallContext Context() const = 0;

  // Answers, once; later answers are dropped. An exchange that nobody answers ends with 500 when it is destroyed.
  virtual void Reply(HttpResponse response) = 0;
  // Answers with the head of `response`, whose body is the beginning of the stream. If the server has too many streams,
  // or too many of this host, it answers 429, and the stream is over from the start. The server sends a comment every
  // 15 s, so that it learns of clients that are gone.
  virtual HttpStreamPtr Stream(HttpResponse response) = 0;

  // Run `work` elsewhere. RunBlocking: on one of a few threads for work that waits. RunComputing: on one of a few
  // threads for work that computes for more than a fraction of a millisecond. RunOnPort: on the server's thread, which
  // serves everybody. The first two answer 429 if too much waits for their threads.
  virtual void RunBlocking(std::function<void()> work) = 0;
  virtual void RunComputing(std::function<void()> work) = 0;
  virtual void RunOnPort(std::function<void()> work) = 0;
};
using HttpExchangePtr = std::shared_ptr<HttpExchange>;

}  // namespace kwta::server
