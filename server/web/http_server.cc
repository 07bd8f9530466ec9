#include "server/web/http_server.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/listening_socket.h"
#include "server/web/http_connections.h"
#include "server/web/http_peer.h"
#include "server/web/http_transaction.h"

namespace kwta::server {
namespace {

constexpr char kTlsVersions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3";
// Connections that are being closed are the library's for a moment longer.
constexpr int kSpareConnections = 64;
constexpr size_t kConnectionBytes = 64 << 10;  // of a head, and of a piece of a body
constexpr size_t kStreamPieceBytes = 16 << 10;
constexpr int kBlockingThreads = 4, kComputingThreads = 2;
constexpr size_t kMostBlocking = 64, kMostComputing = 1024;  // pieces of work that wait for these threads
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kLastAnswers = absl::Milliseconds(500);
// The longest body that is read although its request fails already, so that the client gets to read the answer.
constexpr int64_t kMostDroppedBytes = 64 << 20;

// Returns null without TLS.
gnutls_session_t SessionOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  return info == nullptr ? nullptr : static_cast<gnutls_session_t>(info->tls_session);
}

int DescriptorOf(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

std::string HostOf(MHD_Connection* connection) {
  return HostOfAddress(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
}

MHD_Result AddHeader(void* self, MHD_ValueKind, const char* name, const char* value) {
  std::string& held = (*static_cast<std::map<std::string, std::string>*>(self))[absl::AsciiStrToLower(name)];
  if (!held.empty()) held += ", ";
  held += value == nullptr ? "" : value;
  return MHD_YES;
}

MHD_Result AddArgument(void* self, MHD_ValueKind, const char* name, const char* value) {
  std::string decoded_name, decoded;
  if (!PercentDecode(name, &decoded_name)) decoded_name = name;
  if (value != nullptr && !PercentDecode(value, &decoded)) decoded = value;
  static_cast<std::map<std::string, std::string>*>(self)->emplace(decoded_name, decoded);
  return MHD_YES;
}

// The library would decode paths before anybody has split them.
size_t KeepEncoded(void*, MHD_Connection*, char* text) { return std::strlen(text); }

struct StreamReader {
  std::shared_ptr<HttpTransaction> transaction;
  MHD_Connection* connection;
};

ssize_t ReadStream(void* self, uint64_t, char* buffer, size_t most) {
  auto* reader = static_cast<StreamReader*>(self);
  const ssize_t count = reader->transaction->ReadStream(buffer, most);
  if (count == QueuedHttpStream::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
  if (count == QueuedHttpStream::kBroken) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (count == QueuedHttpStream::kNothingYet) {
    reader->transaction->Suspended();
    MHD_suspend_connection(reader->connection);
  }
  return count;
}

void FreeReader(void* self) { delete static_cast<StreamReader*>(self); }
void FreeText(void* self) { delete static_cast<std::string*>(self); }

MHD_Response* MakeResponse(std::string body) {
  auto kept = std::make_unique<std::string>(std::move(body));
  MHD_Response* response =
      MHD_create_response_from_buffer_with_free_callback_cls(kept->size(), kept->data(), &FreeText, kept.get());
  if (response != nullptr) kept.release();
  return response;
}

MHD_Response* MakeStream(std::shared_ptr<HttpTransaction> transaction, MHD_Connection* connection) {
  auto reader = std::make_unique<StreamReader>(StreamReader{std::move(transaction), connection});
  MHD_Response* response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamPieceBytes, &ReadStream, reader.get(), &FreeReader);
  if (response != nullptr) reader.release();
  return response;
}

}  // namespace

// Everything of the library runs on one thread, which also answers for other threads and looks at the clock.
class HttpServer::Loop {
 public:
  Loop(const HttpServerOptions& options, std::unique_ptr<TlsCredentials> tls, const CallPipeline* pipeline,
       std::shared_ptr<const HttpRoutes> routes)
      : options_(options),
        tls_(std::move(tls)),
        pipeline_(pipeline),
        series_(options.series != nullptr ? *options.series : unread_),
        shared_(std::make_shared<HttpShared>(options.max_held_bytes, options.max_streams, options.max_streams_of_host)),
        connections_(options.max_connections, options.max_connections_of_host),
        routes_(std::move(routes)) {}

  ~Loop() {
    if (!thread_.joinable()) {
      if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
      return;
    }
    shared_->slots.Close();
    shared_->posts.Post([this] { stopping_ = true; });
    thread_.join();
    // Exchanges that outlive the server find these closed.
    shared_->blocking->Stop();
    shared_->computing->Stop();
  }

  absl::Status Start(const ListeningSocket& socket) {
    shared_->blocking = std::make_unique<HttpWorkers>(kBlockingThreads, kMostBlocking);
    shared_->computing = std::make_unique<HttpWorkers>(kComputingThreads, kMostComputing);
    StartDaemon(socket);
    if (!shared_->posts.opened() || daemon_ == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("cannot serve HTTP on '", options_.address, "': too few threads or descriptors"));
    }
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  void SetRoutes(std::shared_ptr<const HttpRoutes> routes) {
    shared_->posts.Post([this, routes = std::move(routes)] { routes_ = routes; });
  }

  const HeldBytes& held() const { return *shared_->held; }

  void EndStreams() {
    shared_->slots.Close();
    shared_->posts.Post([this] { CloseStreams(); });
  }

 private:
  // The library's state of one request.
  struct Request final : public HttpConnection {
    explicit Request(MHD_Connection* connection) : connection(connection) {}
    void Resume() override { MHD_resume_connection(connection); }

    MHD_Connection* const connection;
    std::shared_ptr<HttpTransaction> transaction;
  };

  void StartDaemon(const ListeningSocket& socket) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    std::vector<MHD_OptionItem> options;
    const auto add = [&options](MHD_OPTION option, intptr_t value, const void* pointer) {
      options.push_back({option, value, const_cast<void*>(pointer)});
    };
    TlsTexts texts;
    if (tls_ != nullptr) {
      flags |= MHD_USE_TLS;
      texts = tls_->texts();  // the library needs some to start with
      add(MHD_OPTION_HTTPS_MEM_CERT, 0, texts.certificate.c_str());
      add(MHD_OPTION_HTTPS_MEM_KEY, 0, texts.key.c_str());
      add(MHD_OPTION_HTTPS_PRIORITIES, 0, kTlsVersions);
    }
    add(MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<intptr_t>(&Loop::OnConnection), this);
    add(MHD_OPTION_NOTIFY_COMPLETED, reinterpret_cast<intptr_t>(&Loop::OnCompleted), this);
    add(MHD_OPTION_UNESCAPE_CALLBACK, reinterpret_cast<intptr_t>(&KeepEncoded), nullptr);
    add(MHD_OPTION_END, 0, nullptr);
    daemon_ = MHD_start_daemon(
        flags, 0, &Loop::OnAccept, this, &Loop::OnRequest, this, MHD_OPTION_LISTEN_SOCKET, socket.descriptor,
        MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(options_.max_connections + kSpareConnections),
        MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(options_.silence_seconds),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes, MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END);
  }

  void Run() {
    shared_->posts.BelongToThisThread();
    SteadyTime next_tick = SteadyTime::Now() + kTick;
    while (!stopping_) {
      Turn();
      if (SteadyTime::Now() < next_tick) continue;
      Tick();
      next_tick = SteadyTime::Now() + kTick;
    }
    AnswerTheLast();
    shared_->posts.Close();
    MHD_stop_daemon(daemon_);
  }

  // Waits for something to do, and does it.
  void Turn() {
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    auto wait = absl::ToInt64Milliseconds(kTick);
    if (MHD_get_timeout(daemon_, &timeout) == MHD_YES) {
      wait = static_cast<int64_t>(std::min<MHD_UNSIGNED_LONG_LONG>(timeout, static_cast<uint64_t>(wait)));
    }
    pollfd descriptors[] = {{MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0},
                            {shared_->posts.descriptor(), POLLIN, 0}};
    ::poll(descriptors, std::size(descriptors), static_cast<int>(wait));
    if (descriptors[1].revents != 0) shared_->posts.Run();
    MHD_run(daemon_);
  }

  void Tick() {
    const SteadyTime now = SteadyTime::Now();
    for (const Request* request : requests_) {
      HttpTransaction& transaction = *request->transaction;
      transaction.Tick(now);
      if (!transaction.body_complete() && now - transaction.start() > options_.body_time) {
        ::shutdown(DescriptorOf(request->connection), SHUT_RDWR);
        series_.Refused(Port::kHttp, ConnectionRefusal::kSlow);
      }
    }
  }

  void CloseStreams() {
    for (const Request* request : requests_) {
      if (request->transaction->stream() != nullptr) request->transaction->stream()->Close();
    }
  }

  void AnswerTheLast() {
    CloseStreams();
    for (const Request* request : requests_) {
      request->transaction->Reply(
          HttpError(absl::UnavailableError("the server stops; try again, at another server if there is one")));
    }
    const SteadyTime end = SteadyTime::Now() + kLastAnswers;
    const auto answers = [](const Request* request) { return request->transaction->body_complete(); };
    while (std::any_of(requests_.begin(), requests_.end(), answers) && SteadyTime::Now() < end) Turn();
  }

  // The library's callbacks, on the loop's thread.

  static MHD_Result OnAccept(void* self, const sockaddr* address, socklen_t) {
    auto* loop = static_cast<Loop*>(self);
    const HttpConnections::Room room = loop->connections_.FindRoom(HostOfAddress(address));
    if (room.close != nullptr) {
      ::shutdown(DescriptorOf(static_cast<MHD_Connection*>(const_cast<void*>(room.close))), SHUT_RDWR);
      loop->series_.Refused(Port::kHttp, ConnectionRefusal::kMadeRoom);
    }
    if (!room.found)
      loop->series_.Refused(Port::kHttp, room.of_host ? ConnectionRefusal::kHost : ConnectionRefusal::kTotal);
    return room.found ? MHD_YES : MHD_NO;
  }

  // Before a handshake: gives the connection the current certificates, and keeps them as long as it needs them.
  static void OnConnection(void* self, MHD_Connection* connection, void** kept, MHD_ConnectionNotificationCode code) {
    auto* loop = static_cast<Loop*>(self);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      loop->connections_.Closed(connection);
      loop->series_.Closed(Port::kHttp);
      delete static_cast<TlsCredentials::Shared*>(*kept);
      return;
    }
    loop->connections_.Opened(connection, HostOf(connection));
    loop->series_.Opened(Port::kHttp);
    if (loop->tls_ == nullptr) return;
    const gnutls_session_t session = SessionOf(connection);
    auto current = std::make_unique<TlsCredentials::Shared>(loop->tls_->Current());
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, current->get());
    if (loop->tls_->asks_clients()) gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    *kept = current.release();
  }

  // Called when the head of a request has arrived, for each piece of its body, at its end, and after Resume.
  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* path, const char* verb,
                              const char* /*version*/, const char* piece, size_t* piece_size, void** state) {
    auto* loop = static_cast<Loop*>(self);
    if (*state == nullptr) {
      auto request = std::make_unique<Request>(connection);
      loop->Begin(path, verb, request.get());
      *state = request.release();
      return loop->AnswerEarly(*static_cast<Request*>(*state));
    }
    Request& request = *static_cast<Request*>(*state);
    if (*piece_size != 0) {
      const bool goes_on = request.transaction->Append({piece, *piece_size});
      *piece_size = 0;
      return goes_on ? MHD_YES : MHD_NO;
    }
    if (!request.transaction->body_complete()) request.transaction->Run();
    if (request.transaction->answered()) return Send(&request, /*last=*/false);
    request.transaction->Suspended();
    MHD_suspend_connection(connection);
    return MHD_YES;
  }

  void Begin(const char* path, const char* verb, Request* request) {
    MHD_Connection* connection = request->connection;
    connections_.Busy(connection);
    HttpRequest head;
    head.verb = verb;
    head.path = path;
    const std::string host = HostOf(connection);
    head.peer = host;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, &AddHeader, &head.headers);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &AddArgument, &head.query);
    if (tls_ != nullptr && tls_->asks_clients()) {
      head.trusted = TrustsClient(SessionOf(connection));
      const std::string name = head.trusted ? NameOfClient(SessionOf(connection)) : "";
      if (!name.empty()) head.peer = name;
    }
    request->transaction =
        std::make_shared<HttpTransaction>(shared_, pipeline_, std::move(head), host, request, DescriptorOf(connection));
    requests_.insert(request);
    request->transaction->Begin(routes_, options_.accept_compression);
  }

  // Does not wait for a body that is long, or that the client asks about first, if the request fails already.
  MHD_Result AnswerEarly(Request& request) {
    const HttpTransaction& transaction = *request.transaction;
    if (!transaction.refused()) return MHD_YES;
    const bool asks = !transaction.request().Header("expect").empty() && transaction.declared_bytes() != 0;
    return asks || transaction.declared_bytes() > kMostDroppedBytes ? Send(&request, /*last=*/true) : MHD_YES;
  }

  // `last`: the connection is closed afterwards.
  static MHD_Result Send(Request* request, bool last) {
    HttpResponse answer = request->transaction->TakeResponse();
    const bool streams = request->transaction->stream() != nullptr;
    MHD_Response* response =
        streams ? MakeStream(request->transaction, request->connection) : MakeResponse(std::move(answer.body));
    if (response == nullptr) return MHD_NO;
    if (!answer.type.empty()) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type.c_str());
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    bool cached = false;
    for (const auto& [name, value] : answer.headers) {
      MHD_add_response_header(response, name.c_str(), value.c_str());
      cached = cached || name == MHD_HTTP_HEADER_CACHE_CONTROL;
    }
    if (!cached) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (last) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    const MHD_Result result = MHD_queue_response(request->connection, static_cast<unsigned>(answer.code), response);
    MHD_destroy_response(response);
    return result;
  }

  static void OnCompleted(void* self, MHD_Connection* connection, void** state, MHD_RequestTerminationCode code) {
    auto* loop = static_cast<Loop*>(self);
    const std::unique_ptr<Request> request(static_cast<Request*>(*state));
    *state = nullptr;
    if (request == nullptr) return;
    loop->requests_.erase(request.get());
    request->transaction->Gone(code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED) loop->series_.Refused(Port::kHttp, ConnectionRefusal::kSlow);
    loop->connections_.Idle(connection);
  }

  const HttpServerOptions options_;
  const std::unique_ptr<TlsCredentials> tls_;
  const CallPipeline* const pipeline_;
  ConnectionSeries unread_;
  ConnectionSeries& series_;
  const std::shared_ptr<HttpShared> shared_;
  HttpConnections connections_;
  std::shared_ptr<const HttpRoutes> routes_;
  std::set<Request*> requests_;  // from their heads to their ends
  bool stopping_ = false;
  MHD_Daemon* daemon_ = nullptr;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              std::unique_ptr<TlsCredentials> tls,
                                                              const CallPipeline* pipeline,
                                                              std::shared_ptr<const HttpRoutes> routes) {
  KWTA_ASSIGN_OR_RETURN(const ListeningSocket socket, Listen(options.address, "--http"));
  auto loop = std::make_unique<Loop>(options, std::move(tls), pipeline, std::move(routes));
  KWTA_RETURN_IF_ERROR(loop->Start(socket));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(loop), socket.port));
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop, int port) : loop_(std::move(loop)), port_(port) {}

HttpServer::~HttpServer() = default;

void HttpServer::SetRoutes(std::shared_ptr<const HttpRoutes> routes) { loop_->SetRoutes(std::move(routes)); }

void HttpServer::EndStreams() { loop_->EndStreams(); }
int64_t HttpServer::held_bytes() const { return loop_->held().all(); }

}  // namespace kwta::server
