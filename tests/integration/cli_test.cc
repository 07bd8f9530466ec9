// The command line against a real server: what a user types, sees, and gets as exit status.

#include <signal.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

class CommandLine : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.ready()) << server_.log(); }

  std::vector<std::string> Command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {KWTA_CLI_PROGRAM, "--server", server_.grpc_address()});
    return arguments;
  }
  ProgramResult Run(const std::vector<std::string>& arguments) const { return RunProgram(Command(arguments)); }
  ProgramResult Train(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"train",         "--model",    "fashion", "--encoder", "k-sparse",
                                          "--units",       "64",         "--k",     "5",         "--data",
                                          "fashion-mnist", "--max-rows", "500",     "--epochs",  "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  ServerProcess server_{MakeTemporaryDirectory()};
};

TEST_F(CommandLine, TrainsEncodesAndCleansUp) {
  const ProgramResult trained = Train({"--watch"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.out.find("epoch"), std::string::npos) << trained.out;

  const std::string codes = MakeTemporaryDirectory() + "/codes.npz";
  const ProgramResult encoded =
      Run({"encode", "--model", "fashion", "--input",
           KWTA_TEST_DATA "/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz", "--alpha", "2", "--output", codes});
  ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
  EXPECT_EQ(ReadWholeFile(codes).substr(0, 2), "PK");
  // 500 rows of 10 indices and 10 values, stored uncompressed.
  EXPECT_GT(std::filesystem::file_size(codes), 500u * 10 * 8);

  const ProgramResult models = Run({"--json", "models"});
  ASSERT_EQ(models.exit_code, 0) << models.err;
  EXPECT_NE(models.out.find("\"fashion\""), std::string::npos) << models.out;
  EXPECT_FALSE(nlohmann::json::parse(models.out, nullptr, false).is_discarded()) << models.out;
  // So short a training leaves a third of the units dead.
  const std::string table = Run({"models"}).out;
  EXPECT_NE(table.find("fashion version 1: "), std::string::npos) << table;
  EXPECT_NE(table.find("were in no code of the last epoch"), std::string::npos) << table;
  EXPECT_NE(Run({"jobs"}).out.find("succeeded"), std::string::npos);
  EXPECT_EQ(Run({"status"}).exit_code, 0);
  EXPECT_EQ(Run({"delete", "fashion"}).exit_code, 0);
  const ProgramResult gone = Run({"encode", "--model", "fashion", "--data", "fashion-mnist", "--output", codes});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_NE(gone.err.find("fashion"), std::string::npos) << gone.err;
}

TEST_F(CommandLine, LoadsAServer) {
  ASSERT_EQ(Train({"--watch"}).exit_code, 0);
  const ProgramResult loaded =
      Run({"--json", "load", "--model", "fashion", "--rate", "200", "--seconds", "0.5", "--warm-up", "0",
           "--outstanding", "100"});  // as many as there are, so that a slow machine makes all calls
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  const nlohmann::json figures = nlohmann::json::parse(loaded.out);
  EXPECT_EQ(figures["due"], 100);
  EXPECT_EQ(figures["answers"]["OK"], 100);
  EXPECT_GT(figures["accepted"]["p99_ms"], 0);

  const ProgramResult streamed = Run({"load", "--model", "fashion", "--stream", "--seconds", "0.2", "--warm-up", "0"});
  ASSERT_EQ(streamed.exit_code, 0) << streamed.err;
  EXPECT_NE(streamed.out.find("calls/s answered"), std::string::npos) << streamed.out;
  EXPECT_EQ(Run({"load", "--model", "fashion", "--stream", "--rate", "5"}).exit_code, 2);

  const ProgramResult unknown =
      Run({"load", "--model", "none", "--input", KWTA_TEST_DATA "/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
           "--seconds", "0.1", "--warm-up", "0"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_NE(unknown.out.find("NOT_FOUND"), std::string::npos) << unknown.out;
}

TEST_F(CommandLine, EvaluatesCodesBesideRawPixels) {
  ASSERT_EQ(Train({"--watch"}).exit_code, 0);
  const ProgramResult evaluated =
      Run({"--json", "evaluate", "--model", "fashion", "--data", "fashion-mnist", "--alpha", "2", "--max-rows", "400"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_FALSE(nlohmann::json::parse(evaluated.out, nullptr, false).is_discarded()) << evaluated.out;
  const ProgramResult few = Run({"evaluate", "--model", "fashion", "--data", "fashion-mnist", "--max-rows", "5"});
  EXPECT_EQ(few.exit_code, 1);
  EXPECT_NE(few.err.find("the data have 5 training rows; expected at least 6"), std::string::npos) << few.err;
}

TEST_F(CommandLine, InterruptingAWatchLeavesTheJobRunning) {
  ChildProcess watch(Command({"train", "--model", "fashion", "--encoder", "k-sparse", "--data", "fashion-mnist",
                              "--epochs", "100000", "--job-id", "long", "--watch"}),
                     MakeTemporaryDirectory() + "/watch");
  // The job exists once the server says so: WatchJob on it then blocks until it reports progress.
  v1::WatchJobRequest request;
  request.set_job_id("long");
  bool running = false;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!running && std::chrono::steady_clock::now() < give_up) {
    grpc::ClientContext context;
    const auto reader = server_.stub().WatchJob(&context, request);
    v1::JobEvent event;
    while (!running && reader->Read(&event)) running = event.progress().images_done() > 0;
    context.TryCancel();
    reader->Finish();
  }
  ASSERT_TRUE(running);
  watch.Signal(SIGINT);
  EXPECT_EQ(watch.Wait(), 130);
  EXPECT_NE((watch.Stdout() + watch.Stderr()).find("watch long"), std::string::npos) << watch.Stderr();
  EXPECT_EQ(GetJob(server_.stub(), "long").state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(Run({"cancel", "long"}).exit_code, 0);
  EXPECT_EQ(WaitForEnd(server_.stub(), "long").state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Run({"watch", "long"}).exit_code, 3);
}

TEST_F(CommandLine, ManagesDataSets) {
  const std::string file = MakeTemporaryDirectory() + "/rows.idx";
  std::ofstream(file, std::ios::binary) << std::string("\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef", 18);
  ASSERT_EQ(Run({"upload", file}).exit_code, 0);
  for (const std::vector<std::string>& list : {std::vector<std::string>{"datasets"}, {"datasets", "list"}}) {
    const ProgramResult listed = Run(list);
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_NE(listed.out.find("rows.idx"), std::string::npos) << listed.out;
    EXPECT_NE(listed.out.find("fashion-mnist"), std::string::npos) << listed.out;
  }
  const nlohmann::json described = nlohmann::json::parse(Run({"--json", "datasets", "describe", "rows.idx"}).out);
  EXPECT_EQ(described["dataset"]["rows"], "2");
  EXPECT_EQ(described["dataset"]["origin"], "DATASET_ORIGIN_OWN");
  EXPECT_NE(Run({"datasets", "describe", "fashion-mnist"}).out.find("2,000 to train on, 500 to test"),
            std::string::npos);

  // A job that is to train on it keeps it.
  const std::vector<std::string> train = {"train", "--model",  "m",       "--units",      "4",
                                          "--k",   "1",        "--data",  "rows.idx",     "--job-id",
                                          "long",  "--epochs", "1000000", "--batch-size", "1"};
  ASSERT_EQ(Run(train).exit_code, 0);
  const ProgramResult kept = Run({"datasets", "delete", "rows.idx"});
  EXPECT_EQ(kept.exit_code, 1);
  EXPECT_NE(kept.err.find("is needed by job 'long'"), std::string::npos) << kept.err;
  ASSERT_EQ(Run({"cancel", "long"}).exit_code, 0);
  EXPECT_EQ(WaitForEnd(server_.stub(), "long").state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Run({"datasets", "delete", "rows.idx"}).exit_code, 0);
  EXPECT_EQ(Run({"datasets", "describe", "rows.idx"}).exit_code, 1);
  const ProgramResult elsewhere = Run({"datasets", "delete", "fashion-mnist"});
  EXPECT_NE(elsewhere.err.find("deletes only what lies in its own data directory"), std::string::npos) << elsewhere.err;
  EXPECT_EQ(Run({"datasets", "delete"}).exit_code, 2);
  EXPECT_NE(Run({"datasets", "remove", "x"}).err.find("Run 'kwta datasets --help'"), std::string::npos);
}

TEST_F(CommandLine, ErrorsHaveTheirExitStatus) {
  EXPECT_EQ(Run({"encode"}).exit_code, 2);
  EXPECT_EQ(Run({"no-such-command"}).exit_code, 2);
  EXPECT_EQ(Run({"watch", "nobody"}).exit_code, 1);
  EXPECT_EQ(Train({"--k", "5000"}).exit_code, 2) << "an option given twice";
  const ProgramResult refused =
      Run({"train", "--model", "m", "--encoder", "k-sparse", "--data", "fashion-mnist", "--units", "10", "--k", "11"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("11"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace kwta::testing
