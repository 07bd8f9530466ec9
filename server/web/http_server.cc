#include "server/web/http_server.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/edge/connection_limits.h"
#include "server/listening_socket.h"
#include "server/process.h"

namespace kwta::server {
namespace {

constexpr unsigned kMaxConnectionsOfOneHost = 128;
constexpr unsigned kSilenceSeconds = 10;
constexpr char kTlsVersions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3";

// Returns null without TLS.
gnutls_session_t SessionOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  return info == nullptr ? nullptr : static_cast<gnutls_session_t>(info->tls_session);
}

bool TrustsClient(gnutls_session_t session) {
  char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
  gnutls_typed_vdata_st expected = {GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose), 0};
  unsigned wrong = 0;
  return gnutls_certificate_verify_peers(session, &expected, 1, &wrong) == GNUTLS_E_SUCCESS && wrong == 0;
}

std::string HeaderOf(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? "" : value;
}

MHD_Result Send(MHD_Connection* connection, const HttpReply& reply) {
  MHD_Response* response =
      MHD_create_response_from_buffer(reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (reply.code == MHD_HTTP_UNAUTHORIZED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
  }
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(reply.code), response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

struct HttpServer::Context {
  HttpPages pages;
  std::unique_ptr<TlsCredentials> tls;
  MHD_Daemon* daemon = nullptr;

  // Called when the head of a request has arrived, for each part of its body, and at its end.
  static MHD_Result Handle(void* self, MHD_Connection* connection, const char* url, const char* method,
                           const char* /*version*/, const char* /*body*/, size_t* body_size, void** request_state) {
    auto* context = static_cast<Context*>(self);
    HttpRequest request = {method, url, HeaderOf(connection, MHD_HTTP_HEADER_AUTHORIZATION)};
    const bool body_expected = request.method != MHD_HTTP_METHOD_GET && request.method != MHD_HTTP_METHOD_HEAD;
    if (*request_state == nullptr && !body_expected) {
      *request_state = context;
      return MHD_YES;
    }
    if (*body_size != 0) {
      *body_size = 0;
      return MHD_YES;
    }
    request.trusted = context->tls == nullptr || !context->tls->asks_clients() || TrustsClient(SessionOf(connection));
    return Send(connection, Answer(context->pages, request));
  }

  // Before the handshake: gives the connection the current certificates, and keeps them as long as it needs them.
  static void OnConnection(void* self, MHD_Connection* connection, void** kept, MHD_ConnectionNotificationCode code) {
    const auto* context = static_cast<Context*>(self);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      delete static_cast<TlsCredentials::Shared*>(*kept);
      return;
    }
    const gnutls_session_t session = SessionOf(connection);
    auto current = std::make_unique<TlsCredentials::Shared>(context->tls->Current());
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, current->get());
    if (context->tls->asks_clients()) gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    *kept = current.release();
  }
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              std::unique_ptr<TlsCredentials> tls, HttpPages pages) {
  KWTA_ASSIGN_OR_RETURN(const ListeningSocket socket, Listen(address, "--http"));
  auto context = std::make_unique<Context>();
  context->pages = std::move(pages);
  context->tls = std::move(tls);
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC;
  std::vector<MHD_OptionItem> options;
  TlsTexts texts;
  if (context->tls != nullptr) {
    flags |= MHD_USE_TLS;
    texts = context->tls->texts();  // the library needs some to start with
    const auto add = [&options](MHD_OPTION option, intptr_t value, const void* pointer) {
      options.push_back({option, value, const_cast<void*>(pointer)});
    };
    add(MHD_OPTION_HTTPS_MEM_CERT, 0, texts.certificate.c_str());
    add(MHD_OPTION_HTTPS_MEM_KEY, 0, texts.key.c_str());
    add(MHD_OPTION_HTTPS_PRIORITIES, 0, kTlsVersions);
    add(MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<intptr_t>(&Context::OnConnection), context.get());
  }
  options.push_back({MHD_OPTION_END, 0, nullptr});
  context->daemon = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Context::Handle, context.get(), MHD_OPTION_LISTEN_SOCKET, socket.descriptor,
      MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(HttpConnectionsFor(DescriptorLimit())),
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, kMaxConnectionsOfOneHost, MHD_OPTION_CONNECTION_TIMEOUT, kSilenceSeconds,
      MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END);
  if (context->daemon == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on '", address, "': too few threads or descriptors"));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(context), socket.port));
}

HttpServer::HttpServer(std::unique_ptr<Context> context, int port) : context_(std::move(context)), port_(port) {}

HttpServer::~HttpServer() { MHD_stop_daemon(context_->daemon); }

}  // namespace kwta::server
