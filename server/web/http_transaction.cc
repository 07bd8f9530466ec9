#include "server/web/http_transaction.h"

#include <poll.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kStreamSilence = absl::Seconds(15);
// How much of a body of unknown length is read and dropped, so that its sender gets to read the answer.
constexpr int64_t kMostDropped = 64 << 20;
constexpr char kPushback[] = "grpc-retry-pushback-ms";

// True if the other side has closed its end, or both.
bool PeerLeft(int descriptor) {
  pollfd state = {descriptor, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool ChangesNothing(const std::string& verb) { return verb == "GET" || verb == "HEAD" || verb == "OPTIONS"; }

// True if a browser makes this request for a page that is not from here.
bool IsFromAnotherSite(const HttpRequest& request) {
  const std::string& site = request.Header("sec-fetch-site");
  if (!site.empty()) return site != "same-origin" && site != "none";
  const std::string& origin = request.Header("origin");
  if (origin.empty()) return false;
  const size_t scheme = origin.find("://");
  return scheme == std::string::npos || !absl::EqualsIgnoreCase(origin.substr(scheme + 3), request.Header("host"));
}

HttpResponse Options(const std::string& allow) {
  HttpResponse response;
  response.code = 204;
  response.headers.emplace_back("Allow", allow);
  return response;
}

class Exchange final : public HttpExchange {
 public:
  explicit Exchange(std::shared_ptr<HttpTransaction> transaction) : transaction_(std::move(transaction)) {}
  ~Exchange() override { transaction_->Reply(HttpError(absl::InternalError("the server dropped the request"))); }

  const HttpRequest& request() const override { return transaction_->request(); }
  std::string TakeBody() override { return transaction_->TakeBody(); }
  CallContext Context() const override { return transaction_->Context(); }
  void Reply(HttpResponse response) override { transaction_->Reply(std::move(response)); }
  HttpStreamPtr Stream(HttpResponse response) override { return transaction_->Stream(std::move(response)); }
  void RunBlocking(std::function<void()> work) override {
    transaction_->RunOn(transaction_->shared().blocking.get(), std::move(work));
  }
  void RunComputing(std::function<void()> work) override {
    transaction_->RunOn(transaction_->shared().computing.get(), std::move(work));
  }
  void RunOnPort(std::function<void()> work) override { transaction_->shared().posts.Post(std::move(work)); }

 private:
  const std::shared_ptr<HttpTransaction> transaction_;
};

}  // namespace

HttpTransaction::HttpTransaction(std::shared_ptr<HttpShared> shared, const CallPipeline* pipeline, HttpRequest request,
                                 std::string host, HttpConnection* connection, int descriptor)
    : shared_(std::move(shared)),
      pipeline_(*pipeline),
      request_(std::move(request)),
      host_(std::move(host)),
      connection_(connection),
      descriptor_(descriptor),
      claim_(shared_->held, host_) {}

HttpTransaction::~HttpTransaction() = default;

void HttpTransaction::Begin(std::shared_ptr<const HttpRoutes> routes, bool accept_compression) {
  routes_ = std::move(routes);
  std::optional<HttpResponse> refusal = Refusal(*routes_, accept_compression);
  if (!refusal.has_value()) return;
  replied_ = true;
  Deliver(*std::move(refusal), nullptr);
}

std::optional<HttpResponse> HttpTransaction::Refusal(const HttpRoutes& routes, bool accept_compression) {
  const std::string& length = request_.Header("content-length");
  const bool chunked = !request_.Header("transfer-encoding").empty();
  if (chunked) {
    declared_ = -1;
  } else if (!length.empty() && (!absl::SimpleAtoi(length, &declared_) || declared_ < 0)) {
    declared_ = INT64_MAX;  // the connection is of no use any more
    return HttpError(absl::InvalidArgumentError("Content-Length is no number"));
  }
  if (chunked && !length.empty()) {
    declared_ = INT64_MAX;
    return HttpError(absl::InvalidArgumentError("Content-Length and Transfer-Encoding are both there; send one"));
  }
  if (std::optional<HttpResponse> refusal = CheckRoute(routes)) return refusal;
  if (route_->access == HttpAccess::kMethod) {
    call_.emplace(&pipeline_, route_->method, this);
    if (const absl::Status admitted = call_->Admit(); !admitted.ok()) return HttpError(admitted);
    context_ = call_->Context();
  }
  HttpPacking packing = HttpPacking::kNone;
  if (declared_ != 0 && route_->max_body_bytes > 0) {
    if (std::optional<HttpResponse> refusal = CheckBodyHead(accept_compression, &packing)) return refusal;
    body_.emplace(route_->max_body_bytes, declared_, packing, &claim_);
  }
  return std::nullopt;
}

std::optional<HttpResponse> HttpTransaction::CheckRoute(const HttpRoutes& routes) {
  HttpRoutes::Found found = routes.Find(request_.verb, request_.path);
  route_ = found.route;
  if (!request_.trusted && (route_ == nullptr || route_->access != HttpAccess::kEverybody)) {
    return HttpError(
        absl::PermissionDeniedError("show a client certificate that an authority of --tls-client-ca has "
                                    "signed"));
  }
  if (found.allow.empty()) {
    return HttpError(
        absl::Status(routes.missing().code(), absl::StrCat(routes.missing().message(), ": '", request_.path, "'")));
  }
  if (route_ == nullptr && request_.verb == "OPTIONS") return Options(found.allow);
  if (route_ == nullptr) {
    HttpResponse response = HttpError(405, absl::UnimplementedError(absl::StrCat(
                                               "'", request_.path, "' takes ", found.allow, ", not ", request_.verb)));
    response.headers.emplace_back("Allow", found.allow);
    return response;
  }
  if (!ChangesNothing(request_.verb) && IsFromAnotherSite(request_)) {
    return HttpError(
        absl::PermissionDeniedError("a browser asks for a page of another site, which may not change "
                                    "anything here"));
  }
  request_.segments = std::move(found.segments);
  return std::nullopt;
}

std::optional<HttpResponse> HttpTransaction::CheckBodyHead(bool accept_compression, HttpPacking* packing) {
  const std::string encoding = absl::AsciiStrToLower(request_.Header("content-encoding"));
  if (encoding == "gzip" || encoding == "deflate") {
    *packing = encoding == "gzip" ? HttpPacking::kGzip : HttpPacking::kDeflate;
    if (!accept_compression) {
      return HttpError(415, absl::UnimplementedError("this server takes no compressed bodies; send the body as it is, "
                                                     "or start the server with --accept-compression"));
    }
  } else if (!encoding.empty() && encoding != "identity") {
    return HttpError(415, absl::UnimplementedError(absl::StrCat("Content-Encoding '", encoding,
                                                                "' is not known; expected gzip, deflate or none")));
  }
  const std::string& header = request_.Header("content-type");
  const std::string type(
      absl::StripAsciiWhitespace(absl::AsciiStrToLower(absl::string_view(header).substr(0, header.find(';')))));
  const std::vector<std::string>& types = route_->body_types;
  if (!type.empty() && !types.empty() && std::find(types.begin(), types.end(), type) == types.end()) {
    return HttpError(415, absl::InvalidArgumentError(
                              absl::StrCat("Content-Type is '", type, "', expected ", absl::StrJoin(types, " or "))));
  }
  if (declared_ <= route_->max_body_bytes) return std::nullopt;
  return HttpError(413, absl::InvalidArgumentError(absl::StrCat("the body has ", declared_, " bytes; this path takes ",
                                                                route_->max_body_bytes,
                                                                "; send less at once, or raise --max-message-bytes")));
}

bool HttpTransaction::Append(absl::string_view piece) {
  received_ += static_cast<int64_t>(piece.size());
  if (body_.has_value()) body_->Append(piece);
  const int64_t wanted = route_ == nullptr ? 0 : route_->max_body_bytes;
  return received_ <= wanted + kMostDropped;
}

void HttpTransaction::Run() {
  body_complete_ = true;
  if (answered()) return;
  HttpResponse error;
  if (body_.has_value() && !body_->Finish(&request_.body, &error)) {
    Reply(std::move(error));
    return;
  }
  body_.reset();
  route_->handler(std::make_shared<Exchange>(shared_from_this()));
}

void HttpTransaction::Reply(HttpResponse response) {
  if (replied_.exchange(true)) return;
  if (shared_->posts.OnOwnThread()) return Deliver(std::move(response), nullptr);
  shared_->posts.Post([self = shared_from_this(), held = std::make_shared<HttpResponse>(std::move(response))] {
    self->Deliver(std::move(*held), nullptr);
  });
}

HttpStreamPtr HttpTransaction::Stream(HttpResponse response) {
  const std::weak_ptr<HttpTransaction> weak = weak_from_this();
  const auto stream = std::make_shared<QueuedHttpStream>([weak, shared = shared_] {
    shared->posts.Post([weak] {
      const std::shared_ptr<HttpTransaction> self = weak.lock();
      if (self == nullptr || self->connection_ == nullptr || !std::exchange(self->suspended_, false)) return;
      self->connection_->Resume();
    });
  });
  if (replied_.exchange(true)) {
    stream->Close();
    return stream;
  }
  if (!shared_->slots.Take(host_)) {
    stream->Close();
    shared_->posts.Post([self = shared_from_this()] {
      self->Deliver(
          HttpError(absl::ResourceExhaustedError(
              "the server has too many streams of events, in all or to this host, or it stops; close some, or "
              "try again later")),
          nullptr);
    });
    return stream;
  }
  stream->Send(std::move(response.body));
  shared_->posts.Post([self = shared_from_this(), stream, held = std::make_shared<HttpResponse>(std::move(response))] {
    self->Deliver(std::move(*held), stream);
  });
  return stream;
}

void HttpTransaction::RunOn(HttpWorkers* workers, std::function<void()> work) {
  if (workers->Run(std::move(work))) return;
  Reply(HttpError(absl::ResourceExhaustedError("too much work waits on the HTTP port; try again later")));
}

void HttpTransaction::Deliver(HttpResponse response, std::shared_ptr<QueuedHttpStream> stream) {
  if (stream != nullptr && connection_ == nullptr) {
    stream->Break();
    shared_->slots.Give(host_);
    return;
  }
  if (connection_ == nullptr) return;
  stream_ = std::move(stream);
  if (stream_ == nullptr) FinishCall(response.status);
  response.headers.insert(response.headers.end(), trailing_.begin(), trailing_.end());
  response_ = std::move(response);
  descriptor_ = stream_ == nullptr ? -1 : descriptor_.load();
  if (std::exchange(suspended_, false)) connection_->Resume();
}

void HttpTransaction::FinishCall(const absl::Status& status) {
  if (!call_.has_value()) return;
  call_->Finish(status);
  call_.reset();
}

ssize_t HttpTransaction::ReadStream(char* buffer, size_t most) {
  if (call_.has_value()) {
    if (const absl::Status allowed = call_->AllowMessage(); !allowed.ok()) {
      FinishCall(allowed);
      stream_->Break();
    }
  }
  return stream_->Read(buffer, most);
}

void HttpTransaction::Tick(SteadyTime now) {
  if (stream_ == nullptr) return;
  if (PeerLeft(descriptor_)) return stream_->Break();
  stream_->KeepAlive(now, kStreamSilence);
}

void HttpTransaction::Gone(bool sent) {
  replied_ = true;
  connection_ = nullptr;
  descriptor_ = -1;
  if (stream_ != nullptr) {
    stream_->Break();
    shared_->slots.Give(host_);
  }
  FinishCall(sent ? absl::OkStatus() : absl::CancelledError("the client left"));
}

absl::string_view HttpTransaction::Metadata(const char* name) const { return request_.Header(name); }

bool HttpTransaction::Cancelled() const {
  const int descriptor = descriptor_;
  return descriptor < 0 || PeerLeft(descriptor);
}

void HttpTransaction::AddTrailing(const char* name, const std::string& value) {
  int64_t milliseconds = 0;
  if (absl::string_view(name) == kPushback && absl::SimpleAtoi(value, &milliseconds)) {
    trailing_.emplace_back("Retry-After", absl::StrCat(std::max<int64_t>(1, (milliseconds + 999) / 1000)));
  } else {
    trailing_.emplace_back(name, value);
  }
}

}  // namespace kwta::server
