// What the real program does about its files, its output and its surroundings.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/io/arrays/npy.h"
#include "core/io/token_file.h"
#include "tests/client/cli/program.h"
#include "tests/client/fake_server.h"

namespace kwta::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

void IntoAFullDevice() {
  if (dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO) < 0) _exit(97);
}

class KwtaOutput : public ::testing::Test {
 protected:
  KwtaOutput() {
    const std::vector<uint8_t> pixels(static_cast<size_t>(kRows) * 4, 7);
    EXPECT_TRUE(WriteNpy(rows_, {DType::kU8, {kRows, 4}, pixels.data()}).ok());
  }

  std::vector<std::string> Encode(const std::string& output) const {
    return {"--server", server_.address(), "encode", "--model", "m",   "--input",
            rows_,      "--output",        output,   "--mode",  "topk"};
  }

  static constexpr int64_t kRows = 1000;
  const TemporaryDirectory directory_;
  const std::string rows_ = directory_.File("rows.npy");
  FakeServer server_;
};

TEST_F(KwtaOutput, WhatCannotBePrintedIsAFailure) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "needs /dev/full";
  const std::vector<std::vector<std::string>> commands = {{"status"}, {"status", "--json"}, {"jobs"},
                                                          {"--help"}, {"version"},          {"help", "train"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--server", server_.address()});
    Program run(command, IntoAFullDevice);
    EXPECT_EQ(run.Wait(), 1) << testing::PrintToString(command);
    EXPECT_THAT(run.error(), HasSubstr("cannot write 'standard output': No space left on device"));
  }
}

TEST_F(KwtaOutput, AClosedStandardOutputIsAFailureAndNobodysConnection) {
  Program run({"--server", server_.address(), "status"}, [] { close(STDOUT_FILENO); });
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.error(), HasSubstr("standard output"));
}

TEST_F(KwtaOutput, ATokenThatNobodySawIsNotInTheFile) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "needs /dev/full";
  const std::string file = directory_.File("tokens.json");
  Program lost({"token", "--file", file, "--name", "a", "--scope", "encode"}, IntoAFullDevice);
  EXPECT_EQ(lost.Wait(), 1);
  EXPECT_THAT(lost.error(), HasSubstr("is as it was"));
  EXPECT_FALSE(std::filesystem::exists(file));

  Program seen({"token", "--file", file, "--name", "a", "--scope", "encode"});
  EXPECT_EQ(seen.Wait(), 0);
  const auto entries = ReadTokenFile(file);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().sha256, HashOfToken(seen.out().substr(0, seen.out().size() - 1)));
}

TEST_F(KwtaOutput, TokensMadeAtOnceAreAllKept) {
  const std::string file = directory_.File("tokens.json");
  std::vector<std::unique_ptr<Program>> runs;
  for (int i = 0; i < 8; ++i) {
    runs.push_back(std::make_unique<Program>(
        std::vector<std::string>{"token", "--file", file, "--name", "n" + std::to_string(i), "--scope", "encode"}));
  }
  for (const auto& run : runs) EXPECT_EQ(run->Wait(), 0) << run->error();
  const auto entries = ReadTokenFile(file);
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->size(), runs.size());
}

TEST_F(KwtaOutput, NamesThatAreNoTextArePrintedAsText) {
  Program run([&] {
    auto arguments = Encode(directory_.File("caf\xE9.npz"));
    arguments.push_back("--json");
    return arguments;
  }());
  EXPECT_EQ(run.Wait(), 0) << run.error();
  EXPECT_THAT(run.out(), HasSubstr("caf\xEF\xBF\xBD.npz"));
}

TEST_F(KwtaOutput, NamesDoNotDriveTheTerminal) {
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::JOB_STATE_FAILED);
  job.mutable_error()->set_message("cannot read '\x1b]0;title\x07\x1b[31m.png'");
  v1::JobEvent event;
  event.set_sequence(1);
  event.set_state(v1::JOB_STATE_FAILED);
  server_.SetJob(job, {event});
  const std::vector<std::vector<std::string>> commands = {{"jobs", "j"}, {"watch", "j"}, {"jobs", "j", "--json"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--server", server_.address()});
    Program run(command);
    run.Wait();
    EXPECT_THAT(run.out() + run.error(), AllOf(HasSubstr("\\u001b]0;title\\u0007"), Not(HasSubstr("\x1b"))));
  }
}

TEST_F(KwtaOutput, AnOutputThatCannotBeWrittenIsSaidBeforeRowsAreEncoded) {
  std::filesystem::create_directory(directory_.File("folder.npz"));
  for (const char* output : {"none/codes.npz", "folder.npz"}) {
    Program run(Encode(directory_.File(output)));
    EXPECT_EQ(run.Wait(), 1);
    EXPECT_THAT(run.error(), AllOf(HasSubstr(output), Not(HasSubstr("server"))));
  }
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(KwtaOutput, LinksAreReadAndWrittenThrough) {
  std::filesystem::create_directory(directory_.File("blobs"));
  std::filesystem::rename(rows_, directory_.File("blobs/rows.npy"));
  std::filesystem::create_symlink("blobs/rows.npy", rows_);
  directory_.Write("real.npz", "");
  std::filesystem::create_symlink("real.npz", directory_.File("link.npz"));
  Program run(Encode(directory_.File("link.npz")));
  EXPECT_EQ(run.Wait(), 0) << run.error();
  EXPECT_TRUE(std::filesystem::is_symlink(directory_.File("link.npz")));
  EXPECT_GT(std::filesystem::file_size(directory_.File("real.npz")), 0u);
}

TEST_F(KwtaOutput, AFileThatMayNotGrowIsAnErrorAndLeavesNothing) {
  const std::string folder = directory_.File("out");
  std::filesystem::create_directory(folder);
  Program run(Encode(folder + "/codes.npz"), [] {
    const rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.error(), HasSubstr("ulimit -f"));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(KwtaOutput, ATokenThatCannotBeReadIsNoCallWithoutOne) {
  Program run({"--server", server_.address(), "--token-file", directory_.File("none"), "status"});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.error(), HasSubstr("none"));
  EXPECT_THAT(run.out(), IsEmpty());
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(KwtaOutput, TokensWithLineEndsAreTrimmedOrRefused) {
  Program trimmed({"--server", server_.address(), "status"}, [] { setenv("KWTA_TOKEN", "abc\n", 1); });
  EXPECT_EQ(trimmed.Wait(), 0) << trimmed.error();
  Program refused({"--server", server_.address(), "status"}, [] { setenv("KWTA_TOKEN", "abc\ndef", 1); });
  EXPECT_EQ(refused.Wait(), 1);
  EXPECT_THAT(refused.error(), AllOf(HasSubstr("white space"), Not(HasSubstr("abc"))));
}

TEST_F(KwtaOutput, AProxyIsNotAskedForAServerOnThisMachine) {
  Program run({"--server", server_.address(), "status"}, [] { setenv("http_proxy", "http://127.0.0.1:9", 1); });
  EXPECT_EQ(run.Wait(), 0) << run.error();
}

TEST_F(KwtaOutput, ErrorsAreJsonWithJson) {
  server_.FailNext({absl::NotFoundError("no job 'j'")});
  Program failed({"--server", server_.address(), "watch", "j", "--json"});
  EXPECT_EQ(failed.Wait(), 1);
  EXPECT_EQ(failed.error(),
            "{\"error\":{\"code\":\"NOT_FOUND\",\"exit_code\":1,\"message\":\"no job 'j' (NOT_FOUND)\"}}\n");
  Program wrong({"status", "--json", "--colour"});
  EXPECT_EQ(wrong.Wait(), 2);
  EXPECT_THAT(wrong.error(), StartsWith("{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"exit_code\":2"));
}

TEST_F(KwtaOutput, NumbersAreReadStrictly) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--timeout", "nan", "status"},
      {"load", "--model", "m", "--seconds", "nan"},
      {"token", "--file", directory_.File("t"), "--name", "a", "--scope", "encode", "--days", "nan"},
      {"train", "--model", "m", "--data", "d", "--k", "0x10"},
      {"train", "--model", "m", "--data", "d", "--step", "crop:height=0x10"}};
  for (const std::vector<std::string>& arguments : wrong) {
    Program run(arguments);
    EXPECT_EQ(run.Wait(), 2) << testing::PrintToString(arguments);
    EXPECT_LT(run.error().size(), 1000u) << run.error();
  }
  Program run({"--server", server_.address(), "train", "--model", "m", "--data", "d", "--k", "025", "--seed", "010",
               "--step", "crop:height=010"});
  EXPECT_EQ(run.Wait(), 0) << run.error();
  ASSERT_EQ(server_.train_requests().size(), 1u);
  const v1::JobSpec spec = server_.train_requests()[0].spec();
  EXPECT_EQ(spec.encoder().k_sparse().k(), 25u);
  EXPECT_EQ(spec.training().seed(), 10u);
  EXPECT_EQ(spec.preprocessing().steps(0).crop().height(), 10u);
}

TEST_F(KwtaOutput, MistypedCommandsAndOptionsHaveASuggestion) {
  Program command({"statsu"});
  EXPECT_EQ(command.Wait(), 2);
  EXPECT_THAT(command.error(), StartsWith("kwta: there is no command 'statsu'; did you mean 'status'?"));
  Program option({"status", "--jsn"});
  EXPECT_EQ(option.Wait(), 2);
  EXPECT_THAT(option.error(), StartsWith("kwta: there is no option '--jsn'; did you mean '--json'?"));
}

TEST_F(KwtaOutput, MistypedCommandsOfACommandHaveASuggestion) {
  Program program({"datasets", "delet", "a.npy"});
  EXPECT_EQ(program.Wait(), 2);
  EXPECT_THAT(program.error(), HasSubstr("there is no command 'datasets delet'; did you mean 'delete'?"));
}

TEST_F(KwtaOutput, HelpAndVersionAreCommands) {
  Program help({"help", "models", "load"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.out(), HasSubstr("--reload"));
  Program all({"help"});
  Program long_flag({"--help"});
  EXPECT_EQ(all.Wait(), 0);
  EXPECT_EQ(long_flag.Wait(), 0);
  EXPECT_EQ(all.out(), long_flag.out());
  Program unknown({"help", "trian"});
  EXPECT_EQ(unknown.Wait(), 2);
  EXPECT_THAT(unknown.error(), HasSubstr("did you mean 'train'?"));
  Program version({"version"});
  Program flag({"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_EQ(flag.Wait(), 0);
  EXPECT_EQ(version.out(), flag.out());
  // Behind a command it means the version of a model.
  Program rolled_back({"models", "rollback", "fashion", "--version", "3"});
  EXPECT_EQ(rolled_back.Wait(), 2);
  EXPECT_EQ(rolled_back.out(), "");
  EXPECT_THAT(rolled_back.error(), HasSubstr("--version: is no option of 'kwta models rollback'"));
}

TEST_F(KwtaOutput, ReproduceWantsTheDirectoryThatItIsGiven) {
  Program run(
      {"reproduce", "arpit-fig1", "--quick", "--data", directory_.File("none"), "--output", directory_.File("report")});
  EXPECT_EQ(run.Wait(), 2);
  EXPECT_THAT(run.error(), AllOf(HasSubstr("--data"), HasSubstr("none")));
}

TEST_F(KwtaOutput, ReconstructWritesRows) {
  const std::string output = directory_.File("out.npy");
  Program run({"--server", server_.address(), "reconstruct", "--model", "m", "--input", rows_, "--output", output});
  EXPECT_EQ(run.Wait(), 0) << run.error();
  const auto rows = ReadNpy(output);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->array.shape, ElementsAre(kRows, 4));
  EXPECT_EQ(static_cast<const float*>(rows->array.data)[4 * kRows - 1], 14) << "the fake server doubles";
}

TEST_F(KwtaOutput, LogsPrintWhatHasHappenedWithoutWaiting) {
  v1::Job job;
  job.set_id("j");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_last_sequence(2);
  std::vector<v1::JobEvent> events(2);
  events[0].set_sequence(1);
  events[0].set_state(v1::JOB_STATE_QUEUED);
  events[1].set_sequence(2);
  events[1].set_state(v1::JOB_STATE_RUNNING);
  events[1].mutable_progress()->set_epochs_done(1);
  events[1].mutable_progress()->set_epochs(9);
  events[1].mutable_progress()->add_warnings("few rows");
  server_.SetJob(job, events);
  Program run({"--server", server_.address(), "logs", "j"});
  EXPECT_EQ(run.Wait(), 0) << run.error();
  EXPECT_THAT(run.out(), AllOf(HasSubstr("queued\n"), HasSubstr("warning: few rows\n"), HasSubstr("epoch 1/9\n")));
}

TEST_F(KwtaOutput, AnAddressThatIsNoneIsNotAServerThatIsAway) {
  for (const char* address : {"http://127.0.0.1:8500", "127.0.0.1:65536", "127.0.0.1:8500\n"}) {
    Program run({"--server", address, "status"});
    EXPECT_EQ(run.Wait(), 1) << address;
    EXPECT_THAT(run.error(), HasSubstr("is no address of a server")) << address;
  }
}

}  // namespace
}  // namespace kwta::client
