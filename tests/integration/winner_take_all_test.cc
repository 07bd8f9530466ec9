// Winner-take-all encoders through real processes: trained, served densely, encoded with from the command line.

#include <filesystem>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

v1::TrainRequest TinyJob() {
  v1::TrainRequest request = SmallJob("maps", /*epochs=*/2, /*units=*/64, /*rows=*/100);
  v1::WinnerTakeAllSpec& encoder = *request.mutable_spec()->mutable_encoder()->mutable_winner_take_all();
  encoder.set_maps(3);
  encoder.set_filter_size(5);
  return request;
}

TEST(WinnerTakeAll, IsTrainedAndServedDensely) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const v1::Job job = TrainToEnd(server.stub(), TinyJob());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message() << server.log();
  EXPECT_EQ(job.spec().training().optimiser(), v1::OPTIMISER_ADAM);
  EXPECT_EQ(job.spec().encoder().winner_take_all().input().height(), 28u);
  EXPECT_EQ(job.progress().units(), 3u);

  v1::EncodeRequest request = EncodeImages("maps", 7);
  v1::EncodeResponse dense, csr;
  grpc::Status status = Encode(server.stub(), request, &dense);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(dense.dense().shape_size(), 2);
  EXPECT_EQ(dense.dense().shape(0), 7);
  EXPECT_EQ(dense.dense().shape(1), 3 * 10 * 10);
  EXPECT_EQ(dense.code_width(), 300u);
  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_CSR);
  ASSERT_TRUE(Encode(server.stub(), request, &csr).ok());
  std::vector<float> expanded(7 * 300);
  for (int row = 0; row < 7; ++row) {
    for (uint64_t e = csr.csr().row_offsets(row); e < csr.csr().row_offsets(row + 1); ++e) {
      expanded[row * 300 + csr.csr().indices(static_cast<int>(e))] = csr.csr().values(static_cast<int>(e));
    }
  }
  EXPECT_EQ(expanded, std::vector<float>(dense.dense().floats().begin(), dense.dense().floats().end()));
  EXPECT_GT(csr.csr().values_size(), 0);

  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_TOPK);
  status = Encode(server.stub(), request, &dense);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("the model's codes are dense"), std::string::npos) << status.error_message();
  request.mutable_options()->clear_output();
  request.mutable_options()->set_alpha(2);
  status = Encode(server.stub(), request, &dense);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("expected neither k nor alpha"), std::string::npos) << status.error_message();

  v1::ReconstructRequest reconstruct;
  reconstruct.set_model("maps");
  *reconstruct.mutable_input() = request.input();
  v1::ReconstructResponse reconstructed;
  grpc::ClientContext context;
  status = server.stub().Reconstruct(&context, reconstruct, &reconstructed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reconstructed.output().shape(1), 784);
}

TEST(WinnerTakeAll, AJobThatDoesNotFitItsImagesIsRefused) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  v1::TrainRequest request = TinyJob();
  request.mutable_spec()->mutable_encoder()->mutable_winner_take_all()->set_filter_size(29);
  grpc::ClientContext context;
  v1::TrainResponse response;
  const grpc::Status status = server.stub().Train(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("filter_size is 29; expected 1 .. 28"), std::string::npos)
      << status.error_message();
}

TEST(WinnerTakeAll, FromTheCommandLine) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {KWTA_CLI_PROGRAM, "--server", server.grpc_address()});
    return RunProgram(arguments);
  };
  const ProgramResult trained =
      run({"train", "--model", "maps", "--encoder", "winner-take-all", "--maps", "3", "--filter-size", "5", "--data",
           "fashion-mnist", "--max-rows", "100", "--epochs", "1", "--watch"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(run({"models"}).out.find("winner-take-all"), std::string::npos);

  const std::string codes = MakeTemporaryDirectory() + "/codes.npz";
  const ProgramResult encoded = run({"encode", "--model", "maps", "--data", "fashion-mnist", "--split", "test",
                                     "--max-rows", "20", "--output", codes});
  ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
  EXPECT_NE(encoded.out.find("300 units"), std::string::npos) << encoded.out;
  EXPECT_GT(std::filesystem::file_size(codes), 20u * 300 * 4);
  const ProgramResult sparse = run({"encode", "--model", "maps", "--data", "fashion-mnist", "--split", "test",
                                    "--max-rows", "20", "--mode", "csr", "--output", codes});
  ASSERT_EQ(sparse.exit_code, 0) << sparse.err;
  EXPECT_NE(sparse.out.find("L0 "), std::string::npos) << sparse.out;
  EXPECT_EQ(
      run({"encode", "--model", "maps", "--data", "fashion-mnist", "--mode", "topk", "--output", codes}).exit_code, 1);

  const ProgramResult evaluated =
      run({"--json", "evaluate", "--model", "maps", "--data", "fashion-mnist", "--max-rows", "60", "--no-pixels"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  const nlohmann::json report = nlohmann::json::parse(evaluated.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << evaluated.out;
  EXPECT_FALSE(report.contains("dead_units_alpha_1"));
  EXPECT_GT(report["l0"].get<double>(), 0);
}

}  // namespace
}  // namespace kwta::testing
