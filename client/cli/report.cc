#include "client/cli/report.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/address.h"
#include "client/cli/json.h"

namespace kwta::client::cli {
namespace {

// Explains gRPC's reason to users who do not know gRPC.
std::string UnreachableHint(const std::string& why, const Options& server) {
  // The connection was made and then closed. A server with TLS does that to a client without TLS.
  const bool closed = absl::StrContains(why, "Socket closed") || absl::StrContains(why, "onnection reset") ||
                      absl::StrContains(why, "Broken pipe") || absl::StrContains(why, "GOAWAY");
  if (!server.tls.on && closed) return "if the server speaks TLS, give --tls, or --tls-ca FILE";
  const bool handshake = absl::StrContains(why, "SSL") || absl::StrContains(why, "handshake");
  if (server.tls.on && absl::StrContains(why, "wrong version number")) {
    return "the server does not speak TLS: leave --tls, --tls-ca and KWTA_TLS_CA out";
  }
  if (server.tls.on && handshake) {
    return "does --tls-ca name who signed the server's certificate, and is that of this host?";
  }
  const std::string proxy = ProxyVariable(server.address);
  if (!proxy.empty()) {
    return absl::StrCat("the proxy that ", proxy, " names is in between; no_proxy=HOST goes around it");
  }
  return "start one with 'kwta-server', or name another with --server HOST:PORT or KWTA_SERVER";
}

}  // namespace

FailureText Explain(const absl::Status& status, const GlobalOptions& global) {
  const std::string why(status.message());
  if (IsNotReached(status)) {
    return {absl::StrCat("the server at ", global.server, " cannot be reached (", why, "); ",
                         UnreachableHint(why, ServerOf(global))),
            kUnreachable};
  }
  if (absl::IsDeadlineExceeded(status)) {
    return {absl::StrCat("no answer in time (", why, "); --timeout SECONDS allows more than ", global.timeout_seconds,
                         " s"),
            kFailed};
  }
  if (absl::IsUnimplemented(status) && why.empty()) {
    return {"the server does not know this call (UNIMPLEMENTED); is it a kwta-server, and of this version?", kFailed};
  }
  const std::string text = absl::StrCat(why, " (", absl::StatusCodeToString(status.code()), ")");
  if (absl::IsUnauthenticated(status)) {
    const Options server = ServerOf(global);
    const bool sent = !server.token.empty() || !server.token_file.empty();
    return {absl::StrCat(text, sent ? "; is the token that --token-file or KWTA_TOKEN gives the one of this server?"
                                    : "; give the token with --token-file FILE, or in KWTA_TOKEN"),
            kFailed};
  }
  return {text, kFailed};
}

ExitCode ReportError(absl::string_view code, const std::string& message, ExitCode exit_code,
                     const GlobalOptions& global) {
  if (global.json) {
    const nlohmann::json error = {{"code", std::string(code)}, {"exit_code", exit_code}, {"message", message}};
    std::cerr << ToJson({{"error", error}}) << std::endl;
  } else {
    std::cerr << "kwta: " << message << std::endl;
  }
  return exit_code;
}

ExitCode ReportFailure(const absl::Status& status, const GlobalOptions& global) {
  const FailureText failure = Explain(status, global);
  return ReportError(absl::StatusCodeToString(status.code()), failure.message, failure.exit_code, global);
}

ExitCode ReportUsage(const std::string& message, const GlobalOptions& global) {
  return ReportError(absl::StatusCodeToString(absl::StatusCode::kInvalidArgument), message, kUsage, global);
}

}  // namespace kwta::client::cli
