#include "client/transport.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::client {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;
constexpr uint64_t kMaxTokenBytes = 4096;

// gRPC's own way to send a token works over TLS only, but servers on the same machine accept one without TLS.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(const std::string& authorization) : authorization_(authorization) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", authorization_);
    }
    methods->Proceed();
  }

 private:
  const std::string& authorization_;
};

class TokenInterceptorFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(const std::string& token) : authorization_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(authorization_);
  }

 private:
  const std::string authorization_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const TlsOptions& tls) {
  if (!tls.on) return grpc::InsecureChannelCredentials();
  if (tls.certificate.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("a client's certificate and its key go together; give both");
  }
  grpc::SslCredentialsOptions options;
  if (!tls.ca.empty()) {
    KWTA_ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(tls.ca, kMaxPemBytes));
  }
  if (!tls.certificate.empty()) {
    KWTA_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadFile(tls.certificate, kMaxPemBytes));
    KWTA_ASSIGN_OR_RETURN(options.pem_private_key, ReadFile(tls.key, kMaxPemBytes));
  }
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::string> TokenOf(const Options& options) {
  std::string text = options.token;
  std::string origin = "the token";
  if (!options.token_file.empty()) {
    KWTA_ASSIGN_OR_RETURN(text, ReadFile(options.token_file, kMaxTokenBytes));
    origin = absl::StrCat("the token in '", options.token_file, "'");
  } else if (text.empty()) {
    return text;
  }
  std::string token(absl::StripAsciiWhitespace(text));
  if (token.empty()) return absl::InvalidArgumentError(absl::StrCat(origin, " is empty; give one, or none at all"));
  for (const char c : token) {
    if (absl::ascii_isgraph(c)) continue;
    // The error must not show the token.
    return absl::InvalidArgumentError(
        absl::StrCat(origin, " holds ", absl::ascii_isspace(c) ? "white space" : "a character that is not ASCII",
                     ", which no call can carry; expected one line, as 'kwta token' prints it"));
  }
  return token;
}

Interceptors InterceptorsFor(const std::string& token) {
  Interceptors interceptors;
  if (!token.empty()) interceptors.push_back(std::make_unique<TokenInterceptorFactory>(token));
  return interceptors;
}

}  // namespace kwta::client
