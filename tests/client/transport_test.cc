#include "client/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/client.h"
#include "tests/client/fake_server.h"
#include "tests/temporary_directory.h"

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

TEST(Transport, CertificatesAreCheckedBeforeTheyAreUsed) {
  TlsOptions tls;
  EXPECT_TRUE(CredentialsOf(tls).ok());
  tls.on = true;
  tls.ca = KWTA_TEST_DATA "/tls/ca-a.pem";
  EXPECT_TRUE(CredentialsOf(tls).ok());
  tls.certificate = KWTA_TEST_DATA "/tls/client-a.pem";
  EXPECT_EQ(CredentialsOf(tls).status().code(), absl::StatusCode::kInvalidArgument);
  tls.key = KWTA_TEST_DATA "/tls/client-a.key";
  EXPECT_TRUE(CredentialsOf(tls).ok());
  tls.ca = "no/such/file";
  EXPECT_EQ(CredentialsOf(tls).status().code(), absl::StatusCode::kNotFound);
}

TEST(Transport, TokensAreTrimmedOrRefused) {
  Options options;
  EXPECT_EQ(TokenOf(options).value(), "");
  options.token = " abc\r\n";
  EXPECT_EQ(TokenOf(options).value(), "abc");
  for (const char* token : {"abc\ndef", "a b", "caf\xC3\xA9", "a\x7f", " \n"}) {
    options.token = token;
    EXPECT_EQ(TokenOf(options).status().code(), absl::StatusCode::kInvalidArgument) << token;
  }
  const TemporaryDirectory directory;
  options.token_file = directory.Write("token", "from-the-file\n");
  EXPECT_EQ(TokenOf(options).value(), "from-the-file");
  options.token_file = directory.Write("empty", "\n");
  EXPECT_EQ(TokenOf(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.token_file = directory.File("none");
  EXPECT_EQ(TokenOf(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(Transport, ATokenThatCannotBeSentIsTheErrorOfEveryCall) {
  FakeServer server;
  Options options;
  options.address = server.address();
  options.token = "abc\ndef";
  EXPECT_EQ(Client(options).ServerStatus().status().code(), absl::StatusCode::kInvalidArgument);
  options.token = "";
  options.token_file = "no/such/file";
  EXPECT_EQ(Client(options).ServerStatus().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server.calls(), 0);
}

TEST(Transport, TextThatIsNoneIsNotSent) {
  FakeServer server;
  Options options;
  options.address = server.address();
  Client client(options);
  EXPECT_EQ(client.GetModel("caf\xE9").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client.RollBackModel("caf\xE9").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client.WatchJob("caf\xE9", {}, [](const v1::JobEvent&) { return true; }).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server.calls(), 0);
}

TEST(Transport, WhatIsWrongWithTheOptionsIsTheErrorOfEveryCall) {
  Options options;
  options.tls.on = true;
  options.tls.ca = "no/such/file";
  const absl::Status status = Client(options).ServerStatus().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such/file"));
}

}  // namespace
}  // namespace kwta::client
