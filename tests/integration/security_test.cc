// Tokens and certificates, as callers of a real server meet them.

#include <filesystem>
#include <fstream>

#include "grpcpp/support/channel_arguments.h"
#include "gtest/gtest.h"
#include "tests/https_get.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

const char kTls[] = KWTA_TEST_DATA "/tls/";

// kwta with these arguments, against the server.
ProgramResult Kwta(const ServerProcess& server, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {}) {
  std::vector<std::string> argv = {KWTA_CLI_PROGRAM, "--server", server.grpc_address()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return RunProgram(argv, environment);
}

// Makes a token and gives it.
std::string MakeToken(const std::string& file, const std::string& name, const std::vector<std::string>& more) {
  std::vector<std::string> argv = {KWTA_CLI_PROGRAM, "token", "--file", file, "--name", name};
  argv.insert(argv.end(), more.begin(), more.end());
  const ProgramResult result = RunProgram(argv);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out.substr(0, result.out.find('\n'));
}

TEST(Security, TokensSayWhoMayDoWhat) {
  const std::string directory = MakeTemporaryDirectory();
  const std::string file = directory + "/tokens.json";
  const std::string encode = MakeToken(file, "search", {"--scope", "encode"});
  const std::string expired = MakeToken(file, "past", {"--scope", "encode", "--days", "0.000000001"});
  const std::string train = MakeToken(file, "trainer", {"--scope", "train"});
  EXPECT_EQ(ReadWholeFile(file).find(encode), std::string::npos);
  ServerProcess server(directory + "/state", {"--tokens", file});
  ASSERT_TRUE(server.ready()) << server.log();

  const auto ask = [&](const std::string& token, const std::vector<std::string>& arguments) {
    return Kwta(server, arguments, {"KWTA_TOKEN=" + token});
  };
  EXPECT_EQ(ask(encode, {"models"}).exit_code, 0);
  EXPECT_NE(ask("", {"models"}).err.find("UNAUTHENTICATED"), std::string::npos);
  EXPECT_NE(ask("kwta_wrong", {"models"}).err.find("is unknown"), std::string::npos);
  EXPECT_NE(ask(expired, {"models"}).err.find("expired"), std::string::npos);
  EXPECT_EQ(ask(train, {"jobs"}).exit_code, 0);
  const ProgramResult denied = ask(encode, {"jobs"});
  EXPECT_EQ(denied.exit_code, 1);
  EXPECT_NE(denied.err.find("no scope 'train'"), std::string::npos) << denied.err;
  EXPECT_NE(ask(train, {"delete", "nothing"}).err.find("no scope 'admin'"), std::string::npos);
  EXPECT_EQ(ask(train, {"datasets"}).exit_code, 0);
  EXPECT_NE(ask(encode, {"datasets"}).err.find("no scope 'train'"), std::string::npos);
  EXPECT_NE(ask(encode, {"datasets", "describe", "a.npy"}).err.find("no scope 'train'"), std::string::npos);
  EXPECT_NE(ask(train, {"datasets", "delete", "a.npy"}).err.find("no scope 'admin'"), std::string::npos);
  // Encode and EncodeStream are let in by code of their own.
  EXPECT_NE(ask(train, {"load", "--model", "m", "--seconds", "0.1"}).err.find("NOT_FOUND"), std::string::npos);
  v1::EncodeResponse response;
  EXPECT_EQ(Encode(server.stub(), EncodeImages("m", 1), &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + train);
  const auto stream = server.stub().EncodeStream(&context);
  v1::EncodeStreamResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);

  // Probes of load balancers carry no token; figures need one.
  EXPECT_EQ(HttpGet(server.http_port(), "/healthz").status, 200);
  EXPECT_EQ(HttpGet(server.http_port(), "/readyz").status, 200);
  EXPECT_EQ(HttpGet(server.http_port(), "/metrics").status, 401);
  EXPECT_EQ(HttpGet(server.http_port(), "/metrics", "Authorization: Bearer " + encode + "\r\n").status, 200);

  // A token that is taken away is soon unknown.
  MakeToken(file, "search", {"--remove"});
  ProgramResult result = ask(encode, {"models"});
  for (int i = 0; i < 1000 && result.exit_code == 0; ++i) result = ask(encode, {"models"});
  EXPECT_NE(result.err.find("UNAUTHENTICATED"), std::string::npos) << result.err;
}

TEST(Security, QuotasBoundACaller) {
  const std::string directory = MakeTemporaryDirectory();
  const std::string file = directory + "/tokens.json";
  const std::string token = MakeToken(file, "slow", {"--scope", "encode", "--calls-per-second", "0.001"});
  ServerProcess server(directory + "/state", {"--tokens", file});
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_EQ(Kwta(server, {"models"}, {"KWTA_TOKEN=" + token}).exit_code, 0);
  const ProgramResult refused = Kwta(server, {"models"}, {"KWTA_TOKEN=" + token});
  EXPECT_NE(refused.err.find("calls_per_second is 0.001"), std::string::npos) << refused.err;
}

TEST(Security, CertificatesAreCheckedOnBothSides) {
  const std::string tls(kTls);
  ServerProcess server(MakeTemporaryDirectory(), {"--tls-cert", tls + "server-a.pem", "--tls-key", tls + "server-a.key",
                                                  "--tls-client-ca", tls + "ca-a.pem"});
  ASSERT_TRUE(server.ready()) << server.log();
  const std::vector<std::string> certificate = {"--tls-cert", tls + "client-a.pem", "--tls-key", tls + "client-a.key"};
  const auto ask = [&](std::vector<std::string> arguments, bool with_certificate) {
    if (with_certificate) arguments.insert(arguments.end(), certificate.begin(), certificate.end());
    arguments.insert(arguments.end(), {"models", "--timeout", "1"});
    return Kwta(server, arguments);
  };
  const ProgramResult good = ask({"--tls-ca", tls + "ca-a.pem"}, true);
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(ask({"--tls-ca", tls + "ca-a.pem"}, false).exit_code, 4) << "no certificate";
  EXPECT_EQ(ask({"--tls-ca", tls + "ca-b.pem"}, true).exit_code, 4) << "a server of another authority";
  EXPECT_EQ(Kwta(server, {"models", "--timeout", "1"}).exit_code, 4) << "no TLS";

  // The HTTP port is the same, but for what load balancers ask.
  const HttpsIdentity stranger = {tls + "ca-a.pem"};
  EXPECT_EQ(HttpsGet(server.http_port(), "/healthz", stranger).rfind("HTTP/1.1 200 ", 0), 0u);
  EXPECT_EQ(HttpsGet(server.http_port(), "/readyz", stranger).rfind("HTTP/1.1 200 ", 0), 0u);
  EXPECT_EQ(HttpsGet(server.http_port(), "/metrics", stranger).rfind("HTTP/1.1 403 ", 0), 0u);
  const HttpsIdentity known = {tls + "ca-a.pem", tls + "client-a.pem", tls + "client-a.key"};
  EXPECT_EQ(HttpsGet(server.http_port(), "/metrics", known).rfind("HTTP/1.1 200 ", 0), 0u);
  EXPECT_EQ(HttpGet(server.http_port(), "/healthz").status, 0) << "plain HTTP";
}

TEST(Security, CertificatesAreRenewedWithoutARestart) {
  const std::string directory = MakeTemporaryDirectory();
  const std::string tls(kTls);
  const auto install = [&](const std::string& name) {
    for (const std::string ending : {".pem", ".key"}) {
      std::filesystem::copy_file(tls + name + ending, directory + "/next");
      std::filesystem::rename(directory + "/next", directory + "/server" + ending);
    }
  };
  install("server-a");
  ServerProcess server(directory + "/state", {"--tls-cert", directory + "/server.pem", "--tls-key",
                                              directory + "/server.key", "--tls-reload-seconds", "1"});
  ASSERT_TRUE(server.ready()) << server.log();
  const auto trusts = [&](const char* authority) {
    return Kwta(server, {"--tls-ca", tls + authority, "models", "--timeout", "2"}).exit_code == 0;
  };
  EXPECT_TRUE(trusts("ca-a.pem"));
  EXPECT_FALSE(trusts("ca-b.pem"));
  const auto trusts_http = [&](const char* authority) {
    return !HttpsGet(server.http_port(), "/healthz", {tls + authority}).empty();
  };
  EXPECT_TRUE(trusts_http("ca-a.pem"));
  install("server-b");
  bool renewed = false;
  for (int i = 0; i < 20 && !renewed; ++i) renewed = trusts("ca-b.pem");
  EXPECT_TRUE(renewed);
  for (renewed = false; !renewed;) renewed = trusts_http("ca-b.pem");  // as long as the test may take
  EXPECT_FALSE(trusts_http("ca-a.pem"));
  EXPECT_FALSE(trusts("ca-a.pem"));
}

TEST(Security, FilesThatAreBadAtARenewalChangeNothing) {
  const std::string directory = MakeTemporaryDirectory();
  const std::string tls(kTls);
  const auto install = [&](const std::string& name, const std::string& text) {
    std::ofstream(directory + "/next") << text;
    std::filesystem::rename(directory + "/next", directory + "/" + name);
  };
  const std::string certificate = ReadWholeFile(tls + "server-a.pem"), key = ReadWholeFile(tls + "server-a.key");
  install("server.pem", certificate);
  install("server.key", key);
  ServerProcess server(directory + "/state", {"--tls-cert", directory + "/server.pem", "--tls-key",
                                              directory + "/server.key", "--tls-reload-seconds", "1"});
  ASSERT_TRUE(server.ready()) << server.log();
  const auto metrics = [&] { return HttpsGet(server.http_port(), "/metrics", {tls + "ca-a.pem"}); };
  const auto await_metric = [&](const std::string& line) {
    const std::string whole = "\n" + line + "\n";
    std::string text = metrics();
    for (int i = 0; i < 10000 && text.find(whole) == std::string::npos; ++i) text = metrics();
    EXPECT_NE(text.find(whole), std::string::npos) << text;
  };
  EXPECT_NE(metrics().find("\nkwta_tls_certificate_expiry_seconds "), std::string::npos);
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"server.pem", ""},
                                                        {"server.key", ReadWholeFile(tls + "server-b.key")},
                                                        {"server.pem", certificate.substr(0, 300)}}) {
    install(name, text);
    await_metric("kwta_tls_files_refused 1");
    const ProgramResult result = Kwta(server, {"--tls-ca", tls + "ca-a.pem", "models", "--timeout", "5"});
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.err;
    install("server.pem", certificate);
    install("server.key", key);
    await_metric("kwta_tls_files_refused 0");
  }
  EXPECT_EQ(server.Stop(), 0);
  EXPECT_NE(server.log().find("the certificates used before stay"), std::string::npos) << server.log();
}

TEST(Security, FilesThatCannotBeUsedStopTheStart) {
  const std::string directory = MakeTemporaryDirectory();
  std::ofstream(directory + "/empty") << "nothing";
  const std::string tls(kTls);
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--tokens", directory + "/empty"},
        {"--tokens", directory + "/missing"},
        {"--tls-cert", directory + "/empty", "--tls-key", tls + "server-a.key"},
        {"--tls-cert", tls + "server-a.pem", "--tls-key", tls + "server-b.key"}}) {
    ServerProcess server(directory + "/state", flags);
    EXPECT_FALSE(server.ready());
    EXPECT_EQ(server.process().Wait(), 1);
    EXPECT_NE(server.log().find(flags[1]), std::string::npos) << server.log();
  }
}

}  // namespace
}  // namespace kwta::testing
