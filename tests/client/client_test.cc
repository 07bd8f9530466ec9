// Unary calls, Encode and Reconstruct against a server in this process.
#include "client/client.h"

#include <gmock/gmock.h>

#include <fstream>

#include "absl/strings/escaping.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_up_rows.h"
#include "tests/temporary_directory.h"

namespace kwta::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Client, ReportsAServerThatIsNotThere) {
  std::string address;
  {
    const FakeServer gone;
    address = gone.address();
  }
  Client client(QuickOptions(address));
  EXPECT_EQ(client.ServerStatus().status().code(), absl::StatusCode::kUnavailable);
}

TEST(Client, RetriesUnavailable) {
  FakeServer server;
  server.FailNext({absl::UnavailableError("one"), absl::UnavailableError("two")});
  Client client(QuickOptions(server.address()));
  const auto status = client.ServerStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->kwta_version(), "fake");
  EXPECT_EQ(server.calls(), 3);
}

TEST(Client, RetriesNothingElse) {
  FakeServer server;
  server.FailNext({absl::ResourceExhaustedError("the queue is full")});
  Client client(QuickOptions(server.address()));
  EXPECT_EQ(client.ServerStatus().status(), absl::ResourceExhaustedError("the queue is full"));
  EXPECT_EQ(server.calls(), 1);
}

TEST(Client, GivesUpAtTheDeadline) {
  FakeServer server;
  server.Hang();
  Client client(QuickOptions(server.address()));
  EXPECT_EQ(client.ServerStatus({absl::Milliseconds(50)}).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(Client, UsesTheDefaultDeadlineWhenTheCallHasNone) {
  FakeServer server;
  server.Hang();
  Options options = QuickOptions(server.address());
  options.default_deadline = absl::Milliseconds(50);
  Client client(options);
  EXPECT_EQ(client.ServerStatus().status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(Client, RepeatsTrainUnderOneGeneratedJobId) {
  FakeServer server;
  server.FailNext({absl::UnavailableError("the answer was lost")});
  Client client(QuickOptions(server.address()));
  const auto job = client.Train({});
  ASSERT_TRUE(job.ok()) << job.status();
  const auto requests = server.train_requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[0].job_id(), ::testing::StartsWith("job-"));
  EXPECT_EQ(requests[0].job_id(), requests[1].job_id());
  EXPECT_EQ(job->id(), requests[0].job_id());

  ASSERT_TRUE(client.Train({}).ok());
  EXPECT_NE(server.train_requests().back().job_id(), job->id());
}

TEST(Client, KeepsTheCallersJobId) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  v1::TrainRequest request;
  request.set_job_id("nightly");
  EXPECT_EQ(client.Train(request)->id(), "nightly");
}

TEST(Client, GetJobThatIsNotThere) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const auto job = client.GetJob("lost");
  EXPECT_EQ(job.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(job.status().message()), HasSubstr("'lost'"));
}

class EncodeModes : public testing::TestWithParam<v1::OutputMode> {};

TEST_P(EncodeModes, PutsPiecesTogetherInOrder) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(23);
  EncodeSettings settings;
  settings.options.set_output(GetParam());
  settings.rows_per_request = 5;
  const auto result = client.Encode("digits", rows.rows(), settings);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectMadeUpCodes(*result, 0, 23, FakeServer::kDefaultK);
  EXPECT_EQ(result->requests, 5);
  EXPECT_EQ(result->stats.compute_ns(), 500u);
}

INSTANTIATE_TEST_SUITE_P(Modes, EncodeModes,
                         testing::Values(v1::OUTPUT_MODE_SPARSE_TOPK, v1::OUTPUT_MODE_SPARSE_CSR,
                                         v1::OUTPUT_MODE_DENSE));

TEST(Encode, StaysWithTheVersionThatAnsweredFirst) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  EncodeSettings settings;
  settings.rows_per_request = 2;
  const auto result = client.Encode("digits", MadeUpRows(6).rows(), settings);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<uint64_t> versions;
  for (const auto& request : server.encode_requests()) versions.push_back(request.version());
  EXPECT_THAT(versions, ElementsAre(0, result->model_version, result->model_version));
}

TEST(Encode, FitsRequestsIntoTheMessageLimit) {
  FakeServer server(/*max_message_bytes=*/64 << 10);
  Options options = QuickOptions(server.address());
  options.max_message_bytes = 64 << 10;
  Client client(options);
  const auto result = client.Encode("digits", MadeUpRows(300, 1000).rows());
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectMadeUpCodes(*result, 0, 300, FakeServer::kDefaultK);
  EXPECT_GE(result->requests, 5);
}

TEST(Encode, AsksForAlphaAndK) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  EncodeSettings settings;
  settings.options.set_k(7);
  const auto result = client.Encode("digits", MadeUpRows(2).rows(), settings);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectMadeUpCodes(*result, 0, 2, 7);
}

TEST(Encode, RefusesNoRows) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const auto result = client.Encode("digits", RowsView{DType::kU8, nullptr, 0, 4});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("at least one row"));
  EXPECT_EQ(server.calls(), 0);
}

TEST(Encode, RefusesElementsThatTheServiceDoesNotTake) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const auto result = client.Encode("digits", Tensor(DType::kI64, {2, 2}).rows());
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("rows of i64"));
}

TEST(Reconstruct, PutsPiecesTogetherInOrder) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const Tensor rows = MadeUpRows(7);
  EncodeSettings settings;
  settings.rows_per_request = 3;
  const auto result = client.Reconstruct("digits", rows.rows(), settings);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output.shape(), rows.shape());
  EXPECT_EQ(result->requests, 3);
  for (int64_t i = 0; i < rows.elements(); ++i) {
    EXPECT_EQ(result->output.as<float>()[i], 2.0f * rows.as<unsigned char>()[i]) << i;
  }
}

TEST(UploadDataset, SendsTheFileWithItsLengthAndChecksum) {
  FakeServer server;
  server.FailNext({absl::UnavailableError("again")});
  Client client(QuickOptions(server.address()));
  const TemporaryDirectory directory;
  const std::string file = directory.Write("abc.npy", "abc");
  uint64_t sent = 0;
  const auto uploaded = client.UploadDataset(file, {}, [&sent](uint64_t so_far, uint64_t of) {
    sent = so_far;
    EXPECT_EQ(of, 3u);
  });
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(sent, 3u);
  EXPECT_EQ(uploaded->path(), "abc.npy");
  EXPECT_EQ(server.uploaded(), "abc");
  EXPECT_EQ(server.upload_header().bytes(), 3u);
  // The example of FIPS 180-2.
  EXPECT_EQ(absl::BytesToHexString(server.upload_header().sha256()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(UploadDataset, ReportsAFileThatIsNotThere) {
  FakeServer server;
  Client client(QuickOptions(server.address()));
  const auto uploaded = client.UploadDataset("/nowhere/abc.npy");
  EXPECT_EQ(uploaded.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("/nowhere/abc.npy"));
  EXPECT_EQ(server.calls(), 0);
}

}  // namespace
}  // namespace kwta::client
